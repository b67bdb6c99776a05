"""Images that cost a decoder much: time by their scans, memory by their pixels."""

import io
import subprocess
import sys

import pytest
from PIL import Image

from encoders.errors import InvalidImage
from encoders.images.decoding import ImageLimits, decode
from encoders.images.headers import read_header

LIMITS = ImageLimits(max_bytes=10 * 2**20, max_pixels=50_000_000)

SHORT_OF_MEMORY = """
import io, resource, sys
import cv2, numpy
from PIL import Image
from encoders.errors import ImageError
from encoders.images.decoding import ImageLimits, decode

file = io.BytesIO()
Image.new("RGB", (6000, 6000), (120, 90, 60)).save(file, sys.argv[1])
decode(file.getvalue(), ImageLimits(10 * 2**20, 50_000_000))  # all that is loaded at first use
held = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (held + 20 * 2**20, resource.RLIM_INFINITY))
try:
    decode(file.getvalue(), ImageLimits(10 * 2**20, 50_000_000))
except ImageError as error:
    print("the image was blamed:", error)
except MemoryError:
    print("short of memory")
"""


def progressive(width: int, height: int, scans: int) -> bytes:
    """Return a JPEG with so many scans, the last of libjpeg's own ten over and over."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (120, 90, 60)).save(file, "JPEG", progressive=True)
    image = file.getvalue()
    last = image[image.rindex(b"\xff\xda") : -2]
    return image[:-2] + last * (scans - image.count(b"\xff\xda")) + b"\xff\xd9"


@pytest.mark.parametrize(("side", "most"), [(7000, 20), (5000, 40), (3000, 64), (100, 64)])
def test_the_scans_of_a_jpeg_are_bounded_by_its_pixels(side: int, most: int) -> None:
    assert read_header(progressive(side, side, most)).width == side

    with pytest.raises(InvalidImage, match=f"more than {most} scans, too many for {side * side:,} pixels"):
        decode(progressive(side, side, most + 1), LIMITS)


def test_a_large_progressive_photo_as_libjpeg_writes_it_is_decoded() -> None:
    assert decode(progressive(7000, 7000, 10), LIMITS, enough_px=640).width == 7000


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_machine_that_is_short_of_memory_does_not_blame_the_image(format: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SHORT_OF_MEMORY, format], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.stdout == "short of memory\n", done.stderr
