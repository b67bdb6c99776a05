"""One face in as many pictures as a load has persons: each finds itself before all others."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

PORTRAIT = (100, 0, 350, 250)  # the face and its surroundings in the astronaut's photo, in pixels
SIDE_PX = 96
TINT = 32  # of 255: changes the embedding clearly, leaves the face to be found


def portraits(photo: Path | None) -> Callable[[int], bytes]:
    """Return what makes the JPEG of a number: from `photo`, or from the astronaut's that scikit-image ships."""
    if photo is None:
        from skimage import data

        whole = Image.fromarray(data.astronaut()).crop(PORTRAIT)
    else:
        whole = Image.open(photo).convert("RGB")
    return partial(portrait, np.asarray(whole.resize((SIDE_PX, SIDE_PX) if photo is None else whole.size)))


def portrait(pixels: "np.typing.NDArray[np.uint8]", number: int) -> bytes:
    """Return `pixels`, (height, width, 3), under the smooth shading of this number, as a JPEG."""
    shading = np.random.default_rng(number).normal(0, TINT, (4, 4, 3))
    smooth = [
        np.asarray(Image.fromarray(shading[:, :, channel].astype(np.float32)).resize(pixels.shape[1::-1], 2))
        for channel in range(3)
    ]
    shaded = np.clip(pixels + np.stack(smooth, axis=2), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(shaded).save(file, "JPEG", quality=90)
    return file.getvalue()
