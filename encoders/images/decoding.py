"""Turns the bytes of a picture into upright BGR pixels, within limits that are checked before it is decoded."""

import io
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from encoders.errors import ImageTooLarge, InvalidImage
from encoders.images.depth import is_shallow, to_8_bits
from encoders.images.headers import ImageHeader, read_header
from encoders.images.jpeg_ending import decode_without_end, lacks_its_end

Pixels = npt.NDArray[np.uint8]

JPEG_REDUCTIONS = (8, 4, 2)  # the scales at which libjpeg decodes straight from the DCT coefficients
BAND_ROWS = 64  # laid on the background at a time: 16 bits of a whole picture at the limit are 300 MB, several times
BACKGROUND = 255  # behind transparent pixels: white, as a page shows them; dark hair and skin stand out


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """The largest picture that is decoded.

    50 million pixels take in a 48 MP phone's photo. Decoded they are 150 MB; a PNG of as many takes up to 610 MB while
    it is decoded.
    """

    max_bytes: int = 20 * 1024 * 1024
    max_pixels: int = 50_000_000


@dataclass(frozen=True, eq=False, slots=True)
class Decoded:
    """An upright picture: `pixels` uint8 (height, width, 3), BGR, C-contiguous.

    `width` and `height` are those of the full picture; `pixels` holds it at 1 / `reduction` of that, so that a
    coordinate in `pixels` times `reduction` is one in the full picture.
    """

    pixels: Pixels
    width: int
    height: int
    reduction: int = 1


def decode(image: bytes, limits: ImageLimits, enough_px: int | None = None) -> Decoded:
    """Return the upright pixels of `image`: JPEG, PNG, WebP, BMP, HEIC, or the first frame of a GIF or an animation.

    EXIF orientation is applied, transparency is laid on white, 16 bits become 8, of those that are used, colour
    profiles are ignored. A JPEG may lack its end marker, but nothing else.
    With `enough_px`, a JPEG may come at 1/2, 1/4 or 1/8 of its size, but with its longer side never below that.
    Raises UnsupportedImageFormat, ImageTooLarge or InvalidImage, and nothing else whatever the bytes, but MemoryError
    where the machine has too little, which is no fault of the picture.
    """
    if len(image) > limits.max_bytes:
        raise ImageTooLarge(len(image), limits.max_bytes, "bytes")
    header = read_header(image)
    _check_pixels(header.width, header.height, limits)
    try:
        # cv2 takes half of Pillow's time for JPEG and WebP, but gets CMYK wrong and drops alpha.
        if header.format == "jpeg" and header.components in (1, 3):
            return _decode_jpeg(image, header, enough_px)
        if header.format == "webp" and header.is_plain:
            pixels = _require(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR))
        elif header.format == "heic":
            pixels = _decode_heic(image, limits)
        elif header.format == "jpeg" and lacks_its_end(image):
            pixels = decode_without_end(image, lambda data: _decode_with_pillow(data, header, limits))
        else:
            pixels = _decode_with_pillow(image, header, limits)
    except (InvalidImage, ImageTooLarge, MemoryError):
        raise
    except Exception as exc:
        if isinstance(exc, cv2.error) and exc.code == cv2.Error.StsNoMem:
            raise MemoryError from exc
        # Pillow's parsers raise a dozen unrelated types on damaged data, struct.error to TypeError
        raise InvalidImage("its data is damaged or cut off") from exc
    height, width = pixels.shape[:2]
    return Decoded(pixels, width, height)


def encode_jpeg(pixels: Pixels, quality: int = 90) -> bytes:
    """Return BGR `pixels` as a JPEG."""
    _, encoded = cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return bytes(encoded)


def _check_pixels(width: int, height: int, limits: ImageLimits) -> None:
    if width * height > limits.max_pixels:
        raise ImageTooLarge(width * height, limits.max_pixels, "pixels")


def _decode_jpeg(image: bytes, header: ImageHeader, enough_px: int | None) -> Decoded:
    longer_px = max(header.width, header.height)
    reduction = 1
    is_ended = not lacks_its_end(image)
    if enough_px is not None and is_ended:  # a reduced one does not show whether all data are there
        reduction = next((r for r in JPEG_REDUCTIONS if longer_px >= r * enough_px), 1)
    flags = {
        1: cv2.IMREAD_COLOR,
        2: cv2.IMREAD_REDUCED_COLOR_2,
        4: cv2.IMREAD_REDUCED_COLOR_4,
        8: cv2.IMREAD_REDUCED_COLOR_8,
    }[reduction]

    def read(data: bytes) -> Any:
        return cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)

    stored = _require(read(image) if is_ended else decode_without_end(image, read))
    pixels = _upright(stored, header.orientation)
    if header.orientation >= 5:
        return Decoded(pixels, header.height, header.width, reduction)
    return Decoded(pixels, header.width, header.height, reduction)


def _decode_heic(image: bytes, limits: ImageLimits) -> Pixels:
    import pillow_heif  # 40 ms, and few pictures are HEIC

    # The file object is used instead of pillow_heif's Pillow plugin, whose registration would be global.
    opened = pillow_heif.open_heif(image, convert_hdr_to_8bit=True, bgr_mode=True)
    width, height = opened.size
    _check_pixels(width, height, limits)
    decoded = np.asarray(opened)  # already upright: libheif applies the file's own rotation and mirroring
    return _to_bgr(decoded)


def _decode_with_pillow(image: bytes, header: ImageHeader, limits: ImageLimits) -> Pixels:
    from PIL import BmpImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

    # The format's own class, not Image.open: that one guesses the format again and warns from 89 MP on.
    opener: Any = {
        "jpeg": JpegImagePlugin.JpegImageFile,
        "png": PngImagePlugin.PngImageFile,
        "webp": WebPImagePlugin.WebPImageFile,
        "bmp": BmpImagePlugin.BmpImageFile,
        "gif": GifImagePlugin.GifImageFile,
    }[header.format]
    with opener(io.BytesIO(image)) as opened:
        _check_pixels(opened.width, opened.height, limits)  # again: a GIF's frame may exceed its header
        opened.load()
        orientation = header.orientation if header.format == "jpeg" else opened.getexif().get(0x0112, 1)
        if opened.mode.startswith("I;16") or opened.mode == "I":
            pixels: Any = np.asarray(opened).astype(np.uint16)
        elif opened.has_transparency_data:
            pixels = cv2.cvtColor(_pixels_of(opened, "RGBA"), cv2.COLOR_RGBA2BGRA)
        else:
            pixels = cv2.cvtColor(_pixels_of(opened, "RGB"), cv2.COLOR_RGB2BGR)
    if header.format == "png" and image[24] == 16 and pixels.dtype == np.uint8 and is_shallow(pixels):
        # Pillow gives the upper eight bits of coloured and of transparent ones; cv2 gives all.
        read: Any = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_UNCHANGED)
        pixels = pixels if read is None else read
    return _upright(_to_bgr(pixels), orientation)


def _pixels_of(opened: Any, mode: str) -> Any:
    """Return the pixels of a picture in `mode` and close it: at the limit it holds 200 MB itself."""
    pixels = np.asarray(opened if opened.mode == mode else opened.convert(mode))
    opened.close()
    return pixels


def _to_bgr(pixels: Any) -> Pixels:
    """Return grey, BGR or BGRA pixels of 8 or 16 bits as 8-bit BGR, transparency laid on the background."""
    if pixels.dtype == np.uint16:
        pixels = to_8_bits(pixels)
    if pixels.ndim == 2:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), np.uint8)
    if pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    alpha = pixels[:, :, 3:]  # (h, w, 1)
    if alpha.min() == 255:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR), np.uint8)
    laid = np.empty((*pixels.shape[:2], 3), np.uint8)
    for top in range(0, len(pixels), BAND_ROWS):
        band = pixels[top : top + BAND_ROWS]
        opaque = band[:, :, 3:].astype(np.uint16)
        # at most 255 * 255 + 127
        laid[top : top + BAND_ROWS] = (band[:, :, :3] * opaque + BACKGROUND * (255 - opaque) + 127) // 255
    return laid


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return `pixels` with the EXIF `orientation` undone."""
    turned: Any = pixels
    if orientation in (5, 7):
        turned = cv2.transpose(turned)
    if orientation in (3, 7):
        turned = cv2.rotate(turned, cv2.ROTATE_180)
    elif orientation == 2:
        turned = cv2.flip(turned, 1)
    elif orientation == 4:
        turned = cv2.flip(turned, 0)
    elif orientation == 6:
        turned = cv2.rotate(turned, cv2.ROTATE_90_CLOCKWISE)
    elif orientation == 8:
        turned = cv2.rotate(turned, cv2.ROTATE_90_COUNTERCLOCKWISE)
    return np.asarray(turned, np.uint8)


def _require(pixels: Any) -> Pixels:
    """Return `pixels`; cv2 gives None instead of an error, also for a JPEG that ends early."""
    if pixels is None:
        raise InvalidImage("its data is damaged or cut off")
    return np.asarray(pixels, np.uint8)
