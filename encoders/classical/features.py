"""The descriptor of the classical encoder: 512 numbers from the textures and tones of an aligned face, untrained."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

DIMENSION = 512
SEED = 20260101  # of the projection; another seed is another embedding contract

# Eight neighbours on a ring of 2 px, clockwise; the diagonal ones lie at 1.41 px, where no interpolation is needed.
NEIGHBOURS = ((0, 2), (1, 1), (2, 0), (1, -1), (0, -2), (-1, -1), (-2, 0), (-1, 1))  # rows, columns
LBP_PATTERNS = 59  # 58 uniform ones, with two changes around the ring or none, and the rest in one bin
GRID = 8  # cells per side
TONES = 12  # pixels per side of the tone map
FACE = (slice(16, 108), slice(14, 98))  # rows and columns of the 112x112 crop: brows to chin, without the background

# scikit-image ships 100 faces of 25x25 pixels as the first half of this set.
MEAN_FACES = 100


class FaceDescriptor:
    """Describes aligned faces. Holds the mean of a hundred faces and the projection."""

    def __init__(self) -> None:
        from skimage import data

        load: Any = data.lfw_subset
        faces = np.round(load()[:MEAN_FACES] * 255).astype(np.uint8)  # (100, 25, 25)
        enlarged = [_grey(cv2.resize(face, (112, 112), interpolation=cv2.INTER_CUBIC)) for face in faces]
        self._bins = _uniform_bins()
        self._mean_textures = np.mean([_textures(luma, self._bins) for luma in enlarged], axis=0)
        self._mean_tones = np.mean([_tones(luma) for luma in enlarged], axis=0)
        self._projection = projection(len(self._mean_textures) + len(self._mean_tones))

    def describe(self, crops: Sequence[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        """Return the descriptor of the face in `crops`, BGR (112, 112, 3), all of the same face, aligned differently.

        Result: float32 (512,), L2-normalised. Histograms of uniform local binary patterns in a grid (Ahonen 2006),
        square roots taken so that the inner product is Hellinger's, beside a map of tones; each without the mean face,
        which would make everyone alike, and added up over the crops and their mirror images, which evens out the
        alignment's error and side light.
        """
        views = [view for crop in crops for view in _with_mirror_image(crop)]
        textures = np.mean([_textures(luma, self._bins) for luma in views], axis=0) - self._mean_textures
        tones = np.mean([_tones(luma) for luma in views], axis=0) - self._mean_tones
        features = np.concatenate([_unit(textures), _unit(tones)])
        return _unit(self._projection @ features)


def projection(dimensions: int) -> npt.NDArray[np.float32]:
    """Return the (512, `dimensions`) matrix of +1 and -1 that keeps angles (Achlioptas 2003), the same everywhere.

    Its signs are the bits of PCG64's raw output, which NumPy promises never to change; those of its distributions may.
    """
    words = np.random.PCG64(SEED).random_raw(-(-DIMENSION * dimensions // 64))
    bits = np.unpackbits(np.asarray(words).astype("<u8").view(np.uint8))[: DIMENSION * dimensions]
    return (bits.astype(np.float32) * 2 - 1).reshape(DIMENSION, dimensions)


def _with_mirror_image(crop: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    luma = _grey(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY))
    return luma, np.ascontiguousarray(luma[:, ::-1])


def _grey(luma: Any) -> npt.NDArray[np.uint8]:
    return np.asarray(luma, np.uint8)


def _textures(luma: npt.NDArray[np.uint8], bins: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the square roots of the cells' pattern histograms, (GRID * GRID * 59,)."""
    height, width = luma.shape
    inner = luma[2:-2, 2:-2]
    codes = np.zeros(inner.shape, np.uint8)
    for bit, (down, right) in enumerate(NEIGHBOURS):
        neighbour = luma[2 + down : height - 2 + down, 2 + right : width - 2 + right]
        codes |= (neighbour >= inner).astype(np.uint8) << np.uint8(bit)
    patterns = bins[codes][FACE]  # (92, 84)
    histograms = [
        np.bincount(cell.ravel(), minlength=LBP_PATTERNS) / cell.size
        for rows in np.array_split(patterns, GRID, axis=0)
        for cell in np.array_split(rows, GRID, axis=1)
    ]
    return np.asarray(np.sqrt(np.concatenate(histograms)), np.float32)


def _uniform_bins() -> npt.NDArray[np.int64]:
    """Return the bin of each of the 256 codes, (256,)."""
    codes = np.arange(256)
    turned = (codes >> 1) | (codes & 1) << 7
    changes = np.array([int(code).bit_count() for code in codes ^ turned])
    uniform = changes <= 2
    bins = np.full(256, LBP_PATTERNS - 1)
    bins[uniform] = np.arange(int(uniform.sum()))
    return bins


def _tones(luma: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return a thumbnail of mean 0 and deviation 1 with local contrast evened out, (TONES * TONES,)."""
    even = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(luma)
    tones = np.asarray(cv2.resize(even, (TONES, TONES), interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray((tones - tones.mean()) / (tones.std() + 1e-6), np.float32).ravel()


def _unit(vector: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norm = float(np.linalg.norm(vector))
    if norm < 1e-6:  # the mean face itself
        vector, norm = np.ones_like(vector), float(np.sqrt(len(vector)))
    return np.asarray(vector / norm, np.float32)
