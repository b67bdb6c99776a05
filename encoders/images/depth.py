"""Turns pixels of 16 bits into pixels of 8, also where a camera uses fewer of them.

Infrared and depth cameras write 10, 12 or 14 bits into PNGs of 16: taken by their upper eight, such a picture is black.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

FULL_BITS = 15  # a picture that uses as many is one of 16 whose brightest pixel is not white


def is_shallow(upper_bits: npt.NDArray[np.uint8]) -> bool:
    """Return whether the upper eight bits of a picture of 16 lack what its lower ones would show.

    `upper_bits`: (height, width, channels), the colours in the first three channels.
    """
    return int(upper_bits[:, :, :3].max()).bit_length() + 8 < FULL_BITS


def to_8_bits(pixels: npt.NDArray[np.uint16]) -> npt.NDArray[np.uint8]:
    """Return grey (h, w), BGR or BGRA (h, w, channels) pixels with 8 of the bits that are used.

    Colours are scaled together, transparency by itself. Tones of 8 bits and fewer come as they are.
    """
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return _scaled(pixels)
    return np.dstack([_scaled(pixels[:, :, :3]), _scaled(pixels[:, :, 3])])


def _scaled(tones: Any) -> npt.NDArray[np.uint8]:
    bits = int(tones.max()).bit_length()
    shift = 8 if bits >= FULL_BITS else max(0, bits - 8)
    return np.asarray(tones >> shift, np.uint8)
