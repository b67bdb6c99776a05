"""What the first bytes of a picture say: its format, size and orientation, read before any decoder sees it."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from encoders.errors import InvalidImage, UnsupportedImageFormat

ImageFormat = Literal["jpeg", "png", "webp", "bmp", "gif", "heic"]

ACCEPTED_FORMATS = ("JPEG", "PNG", "WebP", "BMP", "GIF", "HEIC")

HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
AVIF_BRANDS = {b"avif", b"avis"}

# Named for the error's text only; first match wins.
UNSUPPORTED_PREFIXES = (
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"%PDF", "PDF"),
    (b"8BPS", "Photoshop"),
    (b"\0\0\1\0", "ICO"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"PK\3\4", "a ZIP archive"),
)

# Every scan of a progressive JPEG costs a pass over the whole picture, so a small file with many of them occupies a
# core for minutes. libjpeg writes 10 scans for colour and 18 for CMYK; EXIF thumbnails add one or two. 64 scans of 49
# million pixels took 2.2 s, 20 about 1.0 and 10 of them 0.4: a picture of 50 million may have 20, one of 15 million 64.
MAX_JPEG_SCANS = 64
MAX_SCANNED_PIXELS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """The format and the stored size in pixels, before `orientation` (EXIF, 1 to 8) is applied.

    `width` and `height` are 0 for HEIC, whose size only its decoder's own parser knows. `components` is the number of
    colour components of a JPEG, else 0. `is_plain` says that nothing but pixels is inside: no alpha, animation or EXIF.
    """

    format: ImageFormat
    width: int
    height: int
    orientation: int = 1
    components: int = 0
    is_plain: bool = False


def read_header(image: bytes) -> ImageHeader:
    """Return the header of `image`, decided by its magic bytes.

    Raises UnsupportedImageFormat for another format and InvalidImage when the header is cut off or makes no sense.
    """
    if not image:
        raise InvalidImage("it is empty")
    try:
        header = _read(image)
    except (struct.error, IndexError) as exc:
        raise InvalidImage("its header is cut off") from exc
    if header is None:
        raise UnsupportedImageFormat(_name_unsupported(image), ACCEPTED_FORMATS)
    if header.format != "heic" and (header.width < 1 or header.height < 1):
        raise InvalidImage("its header gives no size")
    return header


def exif_orientation(tiff: bytes) -> int:
    """Return the orientation (1 to 8) in an EXIF block that starts at its TIFF header; 1 when there is none."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
        (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
        for entry in range(directory + 2, directory + 2 + 12 * entries, 12):
            (tag,) = struct.unpack_from(f"{order}H", tiff, entry)
            if tag == 0x0112:
                (orientation,) = struct.unpack_from(f"{order}H", tiff, entry + 8)
                return int(orientation) if 1 <= orientation <= 8 else 1
    except struct.error:
        return 1
    return 1


def jpeg_segments(image: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and length of the content of every segment up to the end of the image.

    As libjpeg does, whatever lies between a segment and the next marker is skipped: garbage, or a scan's data.
    """
    position = 2
    while (position := image.find(b"\xff", position)) >= 0:
        marker = image[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        position += 2
        if marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:  # a stuffed byte or a marker without content
            continue
        if marker == 0xD9:
            return
        (length,) = struct.unpack_from(">H", image, position)
        if length < 2:
            return
        yield marker, position + 2, length - 2
        position += length


def _read(image: bytes) -> ImageHeader | None:
    if image[:3] == b"\xff\xd8\xff":
        return _read_jpeg(image)
    if image[:8] == b"\x89PNG\r\n\x1a\n":
        return ImageHeader("png", *struct.unpack_from(">II", image, 16))
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return _read_webp(image)
    if image[:6] in (b"GIF87a", b"GIF89a"):
        return ImageHeader("gif", *struct.unpack_from("<HH", image, 6))
    if image[:2] == b"BM":
        return _read_bmp(image)
    if image[4:8] == b"ftyp" and _brands(image) & HEIC_BRANDS and not _brands(image) & AVIF_BRANDS:
        return ImageHeader("heic", 0, 0)
    return None


def _read_jpeg(image: bytes) -> ImageHeader:
    """Walk the segments up to the first scan."""
    orientation, frame, is_one_scan = 1, None, False
    for marker, start, length in jpeg_segments(image):
        if marker == 0xE1 and image[start : start + 6] == b"Exif\0\0":
            orientation = exif_orientation(image[start + 6 : start + length])
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # DHT, JPG and DAC are no frames
            frame = struct.unpack_from(">HHB", image, start + 1)  # height, width, components
            is_one_scan = marker in (0xC0, 0xC1)  # sequential
        elif marker == 0xDA:
            is_one_scan = is_one_scan and frame is not None and image[start] == frame[2]
            break
    if frame is None:
        raise InvalidImage("its header is cut off")
    height, width, components = frame
    most = min(MAX_JPEG_SCANS, MAX_SCANNED_PIXELS // max(1, width * height))
    # Counting takes 0.6 ms a megabyte. The count alone would also take in what phones append: a video, another picture.
    if not is_one_scan and image.count(b"\xff\xda") > most and _has_more_scans(image, most):
        raise InvalidImage(f"it has more than {most} scans, too many for {width * height:,} pixels")
    return ImageHeader("jpeg", width, height, orientation, components)


def _has_more_scans(image: bytes, most: int) -> bool:
    scans = 0
    for marker, _, _ in jpeg_segments(image):
        scans += marker == 0xDA
        if scans > most:
            return True
    return False


def _read_webp(image: bytes) -> ImageHeader:
    kind = image[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", image, 26)
        return ImageHeader("webp", width & 0x3FFF, height & 0x3FFF, is_plain=True)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", image, 21)
        return ImageHeader("webp", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if kind == b"VP8X":
        width, height = image[24:27], image[27:30]
        if len(height) == 3:
            return ImageHeader("webp", int.from_bytes(width, "little") + 1, int.from_bytes(height, "little") + 1)
    raise InvalidImage("its header is cut off")


def _read_bmp(image: bytes) -> ImageHeader:
    (header_size,) = struct.unpack_from("<I", image, 14)
    if header_size == 12:  # OS/2: 16-bit sizes
        return ImageHeader("bmp", *struct.unpack_from("<HH", image, 18))
    width, height = struct.unpack_from("<ii", image, 18)
    return ImageHeader("bmp", width, abs(height))  # a negative height stores the rows top down


def _brands(image: bytes) -> set[bytes]:
    (size,) = struct.unpack_from(">I", image, 0)
    box = image[8 : min(size, 256)]
    return {box[start : start + 4] for start in range(0, len(box), 4) if start != 4}  # 4 to 8 is the minor version


def _name_unsupported(image: bytes) -> str:
    for prefix, name in UNSUPPORTED_PREFIXES:
        if image.startswith(prefix):
            return name
    if image[4:8] == b"ftyp":
        return "AVIF" if _brands(image) & AVIF_BRANDS else "a video"
    start = image[:256].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<svg", b"<?xml")):
        return "SVG or XML"
    if start.startswith((b"<!doctype html", b"<html")):
        return "HTML"
    return "an unknown format"
