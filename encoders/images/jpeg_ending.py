"""Reads a JPEG that lacks its end marker, if that is all it lacks.

Viewers show such a photo, and some cameras write them. Decoders cannot say whether data were missing, too: libjpeg
fills up with grey. So the photo is decoded twice with different data behind it: where it is whole, neither matters.
"""

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from encoders.errors import InvalidImage
from encoders.images.headers import jpeg_segments

END = b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd8\xff]")  # of a segment, or the end

# Behind the data, before the end marker: nothing, which a decoder takes for zeros, and bytes that it takes for others.
# No 0xff in them, which would begin a marker.
TAILS = (b"", bytes((number * 167 + 201) % 254 + 1 for number in range(64)))


def lacks_its_end(image: bytes) -> bool:
    """Return whether no end marker follows the scans of a JPEG; what phones append, a video or so, is none of it."""
    if image.endswith(END):  # nearly always, and then it takes no time; the rest takes 4 ms for 10 MB
        return False
    position = 2
    while (found := MARKER.search(image, position)) is not None:
        position = found.end()
        if found[0] == END:
            return False
        if found[0] != b"\xff\x01":
            position += int.from_bytes(image[position : position + 2])
    return True


def decode_without_end(image: bytes, decode: Callable[[bytes], Any]) -> Any:
    """Return what `decode` makes of a JPEG that lacks its end marker. Raises InvalidImage if it lacks more.

    `decode` returns an array, or None for data that it cannot read.
    """
    data = (
        image[:-1] if image.endswith(b"\xff") else image
    )  # half of the end marker; of anything else, it is missed below
    if not _has_every_scan(data + END):
        raise InvalidImage("its data is cut off")
    first, second = (decode(data + tail + END) for tail in TAILS)
    if first is None or second is None or not np.array_equal(first, second):
        raise InvalidImage("its data is cut off")
    return first


def _has_every_scan(image: bytes) -> bool:
    """Return whether the scans give every component in full: the last ones of a progressive photo may be missing."""
    components: set[int] = set()
    finished: dict[int, set[int]] = {}
    for marker, start, length in jpeg_segments(image):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            components = set(image[start + 6 : start + length : 3])
        elif marker == 0xDA:
            count = image[start]
            first, last, bits = image[start + 1 + 2 * count : start + 4 + 2 * count]
            for component in image[start + 1 : start + 1 + 2 * count : 2]:
                if bits & 0x0F == 0:
                    finished.setdefault(component, set()).update(range(first, min(last, 63) + 1))
    return all(len(finished.get(component, ())) == 64 for component in components)
