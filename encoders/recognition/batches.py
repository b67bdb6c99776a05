"""Cuts a number of faces into batches of the sizes that a model is ready for."""

from collections.abc import Sequence

# A batch that is filled to this share costs no more padded than as smaller ones: of ResNet-50 on OpenVINO, one of 4
# takes 36 ms, three faces alone 38.
WORTH_PADDING = 0.75


def batches_of(count: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return (faces, size) of each batch: how many of `count` it takes, and which of `sizes` it is run at.

    `sizes` must contain 1.
    """
    batches = []
    while count:
        full = max(size for size in sizes if size <= count)
        padded = min((size for size in sizes if size >= count), default=full)
        size = padded if count >= padded * WORTH_PADDING else full
        taken = min(count, size)
        batches.append((taken, size))
        count -= taken
    return batches
