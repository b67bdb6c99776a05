import io
import struct

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from encoders.errors import ImageTooLarge, InvalidImage, UnsupportedImageFormat
from encoders.images.decoding import BAND_ROWS, Decoded, ImageLimits, decode

LIMITS = ImageLimits(max_bytes=2_000_000, max_pixels=4_000_000)


def encode(image: Image.Image, format_name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format_name, **options)
    return buffer.getvalue()


def as_pillow(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, ::-1]))


def difference(decoded: Decoded, expected: np.ndarray) -> float:
    """Return the mean absolute difference in grey levels."""
    assert decoded.pixels.dtype == np.uint8
    assert decoded.pixels.flags.c_contiguous
    assert decoded.pixels.shape == expected.shape
    assert (decoded.height, decoded.width) == expected.shape[:2]
    return float(np.abs(decoded.pixels.astype(int) - expected).mean())


@pytest.mark.parametrize("format_name", ["PNG", "BMP"])
def test_a_lossless_picture_comes_out_as_it_was(scene: np.ndarray, format_name: str) -> None:
    image = encode(as_pillow(scene), format_name)

    assert difference(decode(image, LIMITS), scene) == 0


@pytest.mark.parametrize(
    ("format_name", "options"),
    [("JPEG", {"quality": 95}), ("JPEG", {"quality": 95, "progressive": True}), ("WEBP", {"quality": 95})],
)
def test_a_lossy_picture_comes_out_nearly_as_it_was(
    scene: np.ndarray, format_name: str, options: dict[str, object]
) -> None:
    image = encode(as_pillow(scene), format_name, **options)

    assert difference(decode(image, LIMITS), scene) < 3


def test_a_lossless_webp_comes_out_as_it_was(scene: np.ndarray) -> None:
    image = encode(as_pillow(scene), "WEBP", lossless=True)

    assert difference(decode(image, LIMITS), scene) == 0


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_heic_comes_out_nearly_as_it_was(scene: np.ndarray, mode: str) -> None:
    image = as_pillow(scene).convert(mode)
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=95)

    expected = np.asarray(image.convert("RGB"))[:, :, ::-1]
    assert difference(decode(buffer.getvalue(), LIMITS), expected) < 3


def test_a_rotated_heic_comes_out_upright(scene: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    pillow_heif.from_pillow(as_pillow(scene)).save(buffer, quality=95, exif=exif.tobytes())

    decoded = decode(buffer.getvalue(), LIMITS)

    assert difference(decoded, cv2.rotate(scene, cv2.ROTATE_90_CLOCKWISE)) < 3


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(scene: np.ndarray, format_name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    # What the camera stores for an upright scene: the inverse of what the orientation asks to do.
    stored = {
        1: scene,
        2: scene[:, ::-1],
        3: scene[::-1, ::-1],
        4: scene[::-1],
        5: scene.transpose(1, 0, 2),
        6: np.rot90(scene, 1),
        7: scene[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(scene, -1),
    }[orientation]
    options = {"lossless": True} if format_name == "WEBP" else {"quality": 98} if format_name == "JPEG" else {}
    image = encode(as_pillow(stored), format_name, exif=exif, **options)

    assert difference(decode(image, LIMITS), scene) < 2


def test_a_reduced_jpeg_with_an_orientation_reports_the_upright_full_size(scene: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    large = cv2.resize(scene, (1603, 1201))
    image = encode(as_pillow(large), "JPEG", exif=exif)

    decoded = decode(image, LIMITS, enough_px=400)

    assert (decoded.width, decoded.height, decoded.reduction) == (1201, 1603, 4)
    assert decoded.pixels.shape == (401, 301, 3)


@pytest.mark.parametrize(("enough_px", "reduction"), [(None, 1), (1601, 1), (801, 1), (800, 2), (400, 4), (10, 8)])
def test_a_jpeg_is_reduced_but_never_below_what_is_enough(
    scene: np.ndarray, enough_px: int | None, reduction: int
) -> None:
    image = encode(as_pillow(cv2.resize(scene, (1600, 1200))), "JPEG")

    decoded = decode(image, LIMITS, enough_px)

    assert decoded.reduction == reduction
    assert decoded.pixels.shape == (1200 // reduction, 1600 // reduction, 3)
    assert (decoded.width, decoded.height) == (1600, 1200)


def test_a_grey_jpeg_gives_three_equal_channels(scene: np.ndarray) -> None:
    image = encode(as_pillow(scene).convert("L"), "JPEG", quality=95)

    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    assert difference(decode(image, LIMITS), np.repeat(grey[:, :, None], 3, axis=2)) < 2


def test_a_cmyk_jpeg_has_its_colours_right(scene: np.ndarray) -> None:
    image = encode(as_pillow(scene).convert("CMYK"), "JPEG", quality=95)

    assert difference(decode(image, LIMITS), scene) < 3


def test_a_ycck_jpeg_has_its_colours_right(scene: np.ndarray) -> None:
    inks = np.asarray(as_pillow(scene).convert("CMYK"))
    luma_and_chroma = np.asarray(Image.fromarray(inks[:, :, :3]).convert("YCbCr"))
    stored = np.dstack([255 - luma_and_chroma, inks[:, :, 3]])  # Pillow inverts what it writes, as Adobe does
    image = encode(Image.fromarray(stored, "CMYK"), "JPEG", quality=95)
    adobe_marker = image.index(b"Adobe")
    ycck = image[: adobe_marker + 11] + b"\x02" + image[adobe_marker + 12 :]  # the transform: 0 is CMYK, 2 is YCCK

    assert difference(decode(ycck, LIMITS), scene) < 4


def test_a_16_bit_grey_png_keeps_its_tones(scene: np.ndarray) -> None:
    grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
    image = cv2.imencode(".png", grey.astype(np.uint16) * 257)[1].tobytes()

    assert difference(decode(image, LIMITS), np.repeat(grey[:, :, None], 3, axis=2)) == 0


def test_a_16_bit_colour_png_keeps_its_tones(scene: np.ndarray) -> None:
    image = cv2.imencode(".png", scene.astype(np.uint16) * 257)[1].tobytes()

    assert difference(decode(image, LIMITS), scene) == 0


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_16_bit_png_shows_the_bits_that_a_camera_used(scene: np.ndarray, channels: int, bits: int) -> None:
    tones = (scene.astype(np.float32) / scene.max() * (2**bits - 1)).astype(np.uint16)
    if channels == 1:
        tones = tones[:, :, 0]
    stored = np.dstack([tones, np.full(tones.shape[:2], 65535, np.uint16)]) if channels == 4 else tones

    decoded = decode(cv2.imencode(".png", stored)[1].tobytes(), LIMITS)

    expected = (tones >> (bits - 8)).astype(np.uint8)
    assert difference(decoded, expected if expected.ndim == 3 else np.dstack([expected] * 3)) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_a_16_bit_png_that_is_only_dark_stays_dark(scene: np.ndarray, channels: int) -> None:
    tones = scene.astype(np.uint16) * 257 // 2
    stored = tones[:, :, 0] if channels == 1 else tones

    decoded = decode(cv2.imencode(".png", stored)[1].tobytes(), LIMITS)

    expected = (stored >> 8).astype(np.uint8)
    assert difference(decoded, expected if channels == 3 else np.dstack([expected] * 3)) == 0


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_a_png_of_few_tones_gives_three_channels(scene: np.ndarray, mode: str) -> None:
    image = as_pillow(scene).convert(mode)

    expected = np.asarray(image.convert("RGB"))[:, :, ::-1]
    assert difference(decode(encode(image, "PNG"), LIMITS), expected) == 0


@pytest.mark.parametrize("format_name", ["PNG", "WEBP"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_on_white(scene: np.ndarray, mode: str, format_name: str) -> None:
    picture = as_pillow(scene).convert(mode)
    alpha = Image.new("L", picture.size, 255)
    alpha.paste(0, (80, 0, 160, 120))
    picture.putalpha(alpha)
    options = {"lossless": True, "exact": True} if format_name == "WEBP" else {}

    decoded = decode(encode(picture, format_name, **options), LIMITS)

    expected = np.asarray(as_pillow(scene).convert(mode[:-1]).convert("RGB"))[:, :, ::-1].copy()
    expected[:, 80:] = 255
    assert difference(decoded, expected) < 1


def test_half_transparency_mixes_with_white() -> None:
    image = encode(Image.new("RGBA", (8, 8), (0, 100, 200, 128)), "PNG")

    decoded = decode(image, LIMITS)

    assert decoded.pixels[0, 0].tolist() == [227, 177, 127]


def test_transparency_is_the_same_in_every_row_of_a_tall_picture() -> None:
    picture = Image.new("RGBA", (8, 2 * BAND_ROWS + 5), (0, 100, 200, 128))

    decoded = decode(encode(picture, "PNG"), LIMITS)

    assert np.unique(decoded.pixels.reshape(-1, 3), axis=0).tolist() == [[227, 177, 127]]


def test_a_palette_with_transparency_is_laid_on_white() -> None:
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 20, 30, 200, 100, 50])
    picture.paste(1, (4, 0, 8, 8))
    image = encode(picture, "PNG", transparency=0)

    decoded = decode(image, LIMITS)

    assert decoded.pixels[0, 0].tolist() == [255, 255, 255]
    assert decoded.pixels[0, 7].tolist() == [50, 100, 200]


@pytest.mark.parametrize("format_name", ["GIF", "PNG", "WEBP"])
def test_an_animation_gives_its_first_frame(format_name: str) -> None:
    frames = [Image.new("RGB", (32, 24), colour) for colour in ((200, 0, 0), (0, 200, 0), (0, 0, 200))]
    options = {"lossless": True} if format_name == "WEBP" else {}
    image = encode(frames[0], format_name, save_all=True, append_images=frames[1:], duration=100, **options)

    decoded = decode(image, LIMITS)

    assert decoded.pixels.shape == (24, 32, 3)
    assert np.abs(decoded.pixels[12, 16].astype(int) - (0, 0, 200)).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1)])
def test_the_smallest_pictures_are_decoded(size: tuple[int, int]) -> None:
    decoded = decode(encode(Image.new("RGB", size), "PNG"), LIMITS, enough_px=1280)

    assert (decoded.width, decoded.height) == size


def test_a_file_over_the_byte_limit_is_refused_unread() -> None:
    with pytest.raises(ImageTooLarge) as refused:
        decode(b"\xff" * 101, ImageLimits(max_bytes=100))

    assert (refused.value.found, refused.value.limit, refused.value.unit) == (101, 100, "bytes")


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "HEIF"])
def test_a_picture_over_the_pixel_limit_is_refused(format_name: str) -> None:
    picture = Image.new("RGB", (64, 48))
    if format_name == "HEIF":
        buffer = io.BytesIO()
        pillow_heif.from_pillow(picture).save(buffer)
        image = buffer.getvalue()
    else:
        image = encode(picture, format_name)

    with pytest.raises(ImageTooLarge) as refused:
        decode(image, ImageLimits(max_pixels=64 * 48 - 1))

    assert (refused.value.found, refused.value.unit) == (64 * 48, "pixels")


@pytest.mark.parametrize(
    "image",
    [
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
        + struct.pack(">II", 100_000, 100_000)
        + b"\x08\x02\x00\x00\x00"
        + b"\0" * 99,
        b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + b"\x00\x00\x00" + b"\0" * 99,
        b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 100_000, -100_000) + b"\0" * 99,
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" * 2 + b"\0" * 99,
        b"\xff\xd8\xff\xc0\x00\x11\x08" + struct.pack(">HH", 65_000, 65_000) + b"\x03" + b"\0" * 99,
    ],
    ids=["png", "gif", "bmp", "webp", "jpeg"],
)
def test_a_small_file_that_claims_billions_of_pixels_is_refused(image: bytes) -> None:
    with pytest.raises(ImageTooLarge):
        decode(image, LIMITS)


def test_a_gif_whose_frame_exceeds_its_header_is_refused() -> None:
    image = bytearray(encode(Image.new("P", (8, 8)), "GIF"))
    frame = image.index(b"\x2c")
    image[frame + 5 : frame + 9] = struct.pack("<HH", 60_000, 60_000)

    with pytest.raises((ImageTooLarge, InvalidImage)):
        decode(bytes(image), LIMITS)


def test_a_jpeg_with_thousands_of_scans_is_refused(scene: np.ndarray) -> None:
    image = encode(as_pillow(scene), "JPEG", progressive=True)
    scan = image.rindex(b"\xff\xda")

    with pytest.raises(InvalidImage, match="scans"):
        decode(image[:-2] + image[scan:-2] * 1000 + b"\xff\xd9", LIMITS)


def test_what_a_phone_appends_to_a_photo_is_ignored(scene: np.ndarray) -> None:
    image = encode(as_pillow(scene), "JPEG", quality=95)
    video = np.random.default_rng(3).bytes(100_000) + b"\xff\xda" * 100

    assert difference(decode(image + video, LIMITS), scene) < 3


@pytest.mark.parametrize(
    ("image", "found"),
    [
        (b"II*\0" + b"\0" * 40, "TIFF"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<?xml version='1.0'?><svg/>", "SVG"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miaf\0\0\0\0", "AVIF"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "a video"),
        (b"PK\x03\x04" + b"\0" * 40, "ZIP"),
        (b"hello, this is text", "an unknown format"),
        (b"\0", "an unknown format"),
    ],
)
def test_another_format_is_named_beside_the_accepted_ones(image: bytes, found: str) -> None:
    with pytest.raises(UnsupportedImageFormat, match=found) as refused:
        decode(image, LIMITS)

    assert "JPEG" in refused.value.accepted


def test_the_format_is_read_from_the_bytes_alone(scene: np.ndarray) -> None:
    tiff = encode(as_pillow(scene), "TIFF")

    with pytest.raises(UnsupportedImageFormat):
        decode(tiff, LIMITS)


def test_no_bytes_are_an_invalid_image() -> None:
    with pytest.raises(InvalidImage, match="empty"):
        decode(b"", LIMITS)


def test_a_picture_of_no_size_is_an_invalid_image() -> None:
    image = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 0, 10) + b"\x08\x02\x00\x00\x00" + b"\0" * 9

    with pytest.raises(InvalidImage, match="size"):
        decode(image, LIMITS)
