"""Pictures: photos that ship in the wheels of our dependencies, and drawn ones without a face."""

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PORTRAIT = (140, 20, 310, 210)  # the face and its surroundings in the astronaut's photo, in pixels


def portrait() -> Image.Image:
    """Return a photo of one face, cut to little more than the face."""
    return astronaut().crop(PORTRAIT)


def astronaut() -> Image.Image:
    """Return a photo of one person, 512 x 512."""
    from skimage import data

    return Image.fromarray(data.astronaut())


def group_photo() -> bytes:
    """Return a JPEG of six persons."""
    package = importlib.util.find_spec("insightface")
    assert package is not None
    assert package.submodule_search_locations is not None
    return (Path(package.submodule_search_locations[0]) / "data" / "images" / "t1.jpg").read_bytes()


def landscape(width: int = 160, height: int = 120) -> Image.Image:
    """Return a picture without a face: a slope from one corner to the other."""
    rows, columns = np.mgrid[0:height, 0:width]
    tones = (rows * 255 / height + columns * 255 / width) / 2
    return Image.fromarray(np.stack([tones, 255 - tones, tones], axis=2).astype(np.uint8))


def encoded(image: Image.Image, format: str = "JPEG", **options: Any) -> bytes:
    """Return `image` as a file."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
