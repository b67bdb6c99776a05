import io
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from encoders.errors import ImageError
from encoders.images.decoding import ImageLimits, decode

LIMITS = ImageLimits(max_bytes=2_000_000, max_pixels=4_000_000)
FORMATS = ["JPEG", "progressive JPEG", "PNG", "WEBP", "lossless WEBP", "animated WEBP", "BMP", "GIF", "HEIF"]


def noisy(format_name: str, mode: str = "RGB") -> bytes:
    """Return a picture with detail everywhere, so that every byte of its data matters."""
    rng = np.random.default_rng(11)
    noise = Image.fromarray(rng.integers(0, 255, (96, 128, 3), dtype=np.uint8)).convert(mode)
    buffer = io.BytesIO()
    match format_name:
        case "HEIF":
            pillow_heif.from_pillow(noise).save(buffer, quality=80)
        case "progressive JPEG":
            noise.save(buffer, "JPEG", progressive=True)
        case "lossless WEBP":
            noise.save(buffer, "WEBP", lossless=True)
        case "animated WEBP":
            noise.save(buffer, "WEBP", save_all=True, append_images=[noise.rotate(90), noise])
        case _:
            noise.save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_picture_that_ends_early_is_an_error_and_no_half_grey_picture(format_name: str) -> None:
    image = noisy(format_name)
    frame_end = len(image) // 3 if format_name == "animated WEBP" else len(image)  # later frames are not read

    for length in range(1, frame_end - 16, max(1, frame_end // 60)):
        with pytest.raises(ImageError):
            decode(image[:length], LIMITS)


@pytest.mark.parametrize("format_name", ["JPEG", "progressive JPEG"])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_that_lacks_its_end_marker_alone_is_the_same_picture(format_name: str, mode: str) -> None:
    image = noisy(format_name, mode)

    for missing in (1, 2):
        assert np.array_equal(decode(image[:-missing], LIMITS).pixels, decode(image, LIMITS).pixels)
    for missing in (10, 30, 100):  # two more bytes may hold nothing that shows
        with pytest.raises(ImageError):
            decode(image[:-missing], LIMITS)


def test_a_jpeg_without_its_end_marker_is_an_error_where_a_scan_is_missing() -> None:
    image = noisy("progressive JPEG")
    last_scan = image.rindex(b"\xff\xda")
    last_table = image.rindex(b"\xff\xc4")

    for length in (last_scan, last_table):
        with pytest.raises(ImageError):
            decode(image[:length], LIMITS)


def test_the_photo_of_a_camera_that_wrote_no_end_marker_is_read() -> None:
    case = Path(__file__).parents[3].parent / "shared" / "cases" / "no_end_marker.jpg"
    if not case.is_file():
        pytest.skip("no cases beside the checkout (../shared/cases)")

    decoded = decode(case.read_bytes(), LIMITS, enough_px=64)

    assert np.array_equal(decoded.pixels, decode(case.read_bytes() + b"\xff\xd9", LIMITS).pixels)


def test_a_reduced_jpeg_that_ends_early_is_an_error() -> None:
    image = noisy("JPEG")

    for length in range(len(image) // 2, len(image) - 2, 97):
        with pytest.raises(ImageError):
            decode(image[:length], LIMITS, enough_px=16)


@pytest.mark.parametrize("format_name", FORMATS)
def test_flipped_bytes_give_a_picture_or_an_image_error(format_name: str) -> None:
    image = noisy(format_name)
    rng = np.random.default_rng(5)

    for _ in range(60):
        damaged = bytearray(image)
        reach = 200 if rng.random() < 0.5 else len(image)  # headers are where parsers trip
        for position in rng.integers(4, min(reach, len(image)), rng.integers(1, 8)):
            damaged[position] = rng.integers(0, 256)
        _decode_or_refuse(bytes(damaged))


@pytest.mark.parametrize(
    "magic",
    [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\x40\0\0\0WEBP", b"GIF89a", b"BM", b"\0\0\0\x18ftypheic"],
)
def test_random_bytes_give_an_image_error(magic: bytes) -> None:
    rng = np.random.default_rng(23)

    for length in rng.integers(0, 400, 40):
        _decode_or_refuse(magic + rng.bytes(int(length)))


def _decode_or_refuse(image: bytes) -> None:
    """Fail on any exception but an ImageError, which is one of the two answers allowed."""
    try:
        decoded = decode(image, LIMITS, enough_px=64)
    except ImageError:
        return
    assert decoded.pixels.ndim == 3
    assert decoded.width * decoded.height <= LIMITS.max_pixels
