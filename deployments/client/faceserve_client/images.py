"""Photos as a caller has them, made into the bytes of a file."""

import io
import os
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

JPEG_QUALITY = 95  # without chroma subsampling: similarities move by less than 0.001


@runtime_checkable
class ReadableFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> bytes: ...


@runtime_checkable
class SavedImage(Protocol):
    """A Pillow image."""

    @property
    def mode(self) -> str: ...
    def save(self, fp: Any, format: str | None = None, **params: Any) -> None: ...
    def convert(self, mode: str) -> Any: ...


@runtime_checkable
class PixelArray(Protocol):
    """A NumPy array, uint8 (height, width, 3), red first, or (height, width)."""

    @property
    def __array_interface__(self) -> dict[str, Any]: ...


Image = str | os.PathLike[str] | bytes | bytearray | memoryview | ReadableFile | SavedImage | PixelArray


class NotAnImage(TypeError):
    """What was given as an image is none of the types that are taken."""


def name_of(image: Image, number: int) -> str:
    """Return what the service calls an image when it tells about it: the file's name where there is one."""
    if isinstance(image, str | os.PathLike):
        return Path(image).name
    name = getattr(image, "name", None)
    return Path(name).name if isinstance(name, str) else f"image-{number}"


def bytes_of(image: Image) -> bytes:
    """Return an image as the bytes of an image file. A path and an open file are read and sent as they are.

    A Pillow image and an array are written as JPEG of quality 95. Raises NotAnImage, OSError.
    """
    if isinstance(image, str | os.PathLike):
        return Path(image).read_bytes()
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, SavedImage):
        return _jpeg(image)
    if isinstance(image, PixelArray):
        return _jpeg(_picture(image))
    if isinstance(image, ReadableFile):
        content = image.read()
        if isinstance(content, bytes):
            return content
        raise NotAnImage("Expected a file that is open for reading bytes; found one that gives text.")
    raise NotAnImage(f"Expected a path, bytes, an open file, a Pillow image or an array; found {type(image).__name__}.")


def _picture(array: PixelArray) -> SavedImage:
    try:
        from PIL import Image as pillow
    except ImportError as error:
        raise NotAnImage("An array needs Pillow: pip install 'faceserve-client[arrays]'.") from error
    interface = array.__array_interface__
    kind, shape = interface["typestr"], tuple(interface["shape"])
    if kind != "|u1" or len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] != 3):
        raise NotAnImage(f"Expected an array uint8 (height, width, 3) or (height, width); found {kind} {shape}.")
    picture: SavedImage = pillow.fromarray(array)
    return picture


def _jpeg(picture: SavedImage) -> bytes:
    file = io.BytesIO()
    (picture if picture.mode in ("RGB", "L") else picture.convert("RGB")).save(
        file, "JPEG", quality=JPEG_QUALITY, subsampling=0
    )
    return file.getvalue()
