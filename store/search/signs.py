"""The signs of embeddings: one bit for each dimension, in memory, to choose the faces that are compared exactly.

Two vectors at an angle differ in as many of their signs as the angle is of a half turn, give or take 11 of 512
(Charikar, "Similarity estimation techniques from rounding algorithms", 2002). Of 1,000 face-like probes among a
million faces, the nearest face was 999 times among the 64 whose signs differ least. Comparing a probe with a million
faces takes as long as reading their signs from memory does: 10 ms for all 512. So a share of them is read first, and
the others only of the faces that are near by these. 192 lose none of the 999 where one face in a hundred goes on, and
take 3.5 ms in all.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from store.types import EMBEDDING_DIMENSION

WORDS = EMBEDDING_DIMENSION // 64
FIRST_WORDS = 3  # 192 signs, whose differences fit into a byte
GOES_ON = 100  # one face in so many is compared in all its signs
GO_ON_AT_LEAST = 5000  # or so many: less than that saves nothing
SAMPLE = 16_384  # faces by which it is decided what is near
BLOCK = 1 << 15  # faces compared at a time: what is in between stays in the cache
BYTES_PER_FACE = EMBEDDING_DIMENSION // 8 + 8

Keys = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False, slots=True)
class Signs:
    """The faces of a collection up to the one with the key `last`, in the order of their keys.

    `keys`: int64 (n,); `first`: uint64 (3, n), the first 192 signs of face i in column i; `others`: uint64 (n, 5), the
    other 320 in row i.
    """

    keys: Keys
    first: Words
    others: Words
    last: int

    def __len__(self) -> int:
        return len(self.keys)

    @classmethod
    def none(cls) -> Self:
        """Return the signs of no face."""
        none = np.empty((0, WORDS), np.uint64)
        return cls(np.empty(0, np.int64), none[:, :FIRST_WORDS].T, none[:, FIRST_WORDS:], 0)

    def joined(self, keys: bytes, signs: bytes) -> Self:
        """Return these and further faces: big-endian keys, ascending, of 8 bytes, and signs of 64 bytes each."""
        more = np.frombuffer(keys, ">i8").astype(np.int64)
        if len(more) == 0:
            return self
        words = np.frombuffer(signs, np.uint64).reshape(len(more), WORDS)
        return type(self)(
            np.concatenate((self.keys, more)),
            np.concatenate((self.first, words[:, :FIRST_WORDS].T), axis=1),
            np.concatenate((self.others, words[:, FIRST_WORDS:])),
            int(more[-1]),
        )

    def nearest(self, probe: npt.NDArray[np.float32], count: int) -> Keys:
        """Return the keys of the `count` faces whose signs differ least from those of `probe`, float32 (512,).

        A face that is near, but not by its first 192 signs, may be missing.
        """
        if len(self) <= count:
            return self.keys
        signs = signs_of(probe)
        by_first = self._first_differences(signs)
        near = np.flatnonzero(by_first <= _limit(by_first, max(len(self) // GOES_ON, GO_ON_AT_LEAST, 4 * count)))
        by_others = np.bitwise_count(self.others.take(near, axis=0) ^ signs[FIRST_WORDS:])
        differences = by_others.T.copy().sum(axis=0, dtype=np.uint16)  # along rows of 5 it takes 7 times as long
        differences += by_first[near]
        if len(near) > count:
            least = np.flatnonzero(differences <= np.partition(differences, count - 1)[count - 1])
            near = near[least[np.argsort(differences[least], kind="stable")[:count]]]
        return self.keys[near]

    def _first_differences(self, probe: Words) -> npt.NDArray[np.uint8]:
        """Return for each face how many of its first signs differ from those of `probe`."""
        found = np.empty(len(self), np.uint8)
        unlike, more = np.empty(BLOCK, np.uint64), np.empty(BLOCK, np.uint8)
        for start in range(0, len(self), BLOCK):
            counts = found[start : start + BLOCK]
            size = len(counts)
            counts[:] = 0
            for word, of_probe in zip(self.first[:, start : start + BLOCK], probe[:FIRST_WORDS], strict=True):
                np.bitwise_xor(word, of_probe, out=unlike[:size])
                np.bitwise_count(unlike[:size], out=more[:size])
                np.add(counts, more[:size], out=counts)
        return found


def _limit(differences: npt.NDArray[np.uint8], count: int) -> int:
    """Return a number of differences that about `count` faces do not exceed, from a sample of them."""
    sample = differences[:: max(1, len(differences) // SAMPLE)]
    place = min(len(sample) - 1, count * len(sample) // len(differences))
    return int(np.partition(sample, place)[place])


def signs_of(embedding: npt.NDArray[np.float32]) -> Words:
    """Return the signs of an embedding, float32 (512,), as uint64 (8,), as pgvector's `binary_quantize` packs them."""
    return np.packbits(embedding > 0).view(np.uint64)
