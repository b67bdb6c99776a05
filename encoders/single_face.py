"""Finds the one face that a selection asks for by looking at the picture small, and at that face's surroundings in full.

The answer is that of the detector's whole input or none at all. The small look only says where to look: landmarks
found in it give embeddings with a cosine of 0.96 to those of the whole input, which is not good enough. So the chosen
face is found again in a window of the very pixels that the whole input would show, on the same grid of strides.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from encoders.detector import STRIDE_PX, Detections, InputSize, ScrfdDetector, View
from encoders.selection import selection_values
from encoders.types import Selection

SMALL_INPUTS_PX = (192,)  # longer sides that are tried, in this order

# Measured with SCRFD-500MF on 424 pictures with 861 faces (photos scaled, cropped, turned, darkened, blurred, tiled).
# A picture that is seen at 128 to 320 px and in full shows the same faces from 24 px on: the largest one that had no
# candidate, at a fifth of the threshold, measured 18 px; the largest below half of the threshold 29 px.
CANDIDATE_SHARE = 0.2  # of the detection threshold
BLIND_PX = 24.0
GROWTH = 1.2  # a face of BLIND_PX or more is 0.87 to 1.16 times as long in one as in the other
SHIFT = 0.15  # of a face's length, which its centre moves

# The network sees the window's edge as it sees the picture's. Embeddings of 357 faces keep a cosine of 0.9935 and more
# to those of the whole input with 128 px around the face, 0.959 with 112 px, 0.983 with 96 px.
SURROUNDINGS_PX = 128
LEEWAY = 0.08  # of the face's length, added to the surroundings because the small look places it no better
LARGEST_WINDOW = 0.75  # of the whole input's area; from there on, both looks together save too little

# Between window and whole input, scores differ by up to 0.008 and areas by 1.5%.
SCORE_DOUBT = 0.02
AREA_DOUBT = 0.04


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a view, in its pixels."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def find_single_face(
    detector: ScrfdDetector,
    pixels: npt.NDArray[np.uint8],
    input_size: InputSize,
    selection: Selection,
    threshold: float,
    nms_threshold: float,
) -> Detections | None:
    """Return faces in BGR `pixels`, among them the one that `selection` chooses from all that `input_size` would show.

    None when a small look cannot tell: no face is large enough in it, another one may win, the window would be about
    the whole picture. Other faces are there as far as the window shows them.
    """
    if selection == "all":
        return None
    view = detector.view(pixels, input_size)
    if view is None:
        return None
    height, width = pixels.shape[:2]
    for small_px in SMALL_INPUTS_PX:
        small = view.shrunk(small_px)
        if small is None:
            continue
        candidates = detector.look(small, threshold * CANDIDATE_SHARE, nms_threshold)
        blind = (BLIND_PX / small.scale) ** 2  # the value of a face in the picture's centre that the look may miss
        lengths = np.sqrt(_areas(candidates.boxes))
        best_cases = _values(candidates.boxes, lengths, selection, width, height, growth=GROWTH, shift=-SHIFT)
        worst_cases = _values(candidates.boxes, lengths, selection, width, height, growth=1 / GROWTH, shift=SHIFT)
        is_face = candidates.scores >= threshold
        if not is_face.any() or best_cases[is_face].max() < blind:
            continue
        rivals = best_cases >= worst_cases[is_face].max()
        window = _around(candidates.boxes[rivals], lengths[rivals], view)
        if window.area > LARGEST_WINDOW * view.area:
            return None
        found = _look_through(window, detector, view, threshold - SCORE_DOUBT, nms_threshold)
        bar = max(blind, best_cases[~rivals].max(initial=-np.inf))
        if _is_decided(found, window, view, selection, width, height, threshold, bar):
            return found.taken(found.scores >= threshold)
    return None


def _is_decided(
    found: Detections,
    window: _Window,
    view: View,
    selection: Selection,
    width: int,
    height: int,
    threshold: float,
    bar: float,
) -> bool:
    """Return whether the best of `found` is the face that the whole input would give, too.

    `bar`: what a face outside the window may be worth.
    """
    if len(found) == 0:
        return False
    values = selection_values(found.boxes, selection, width, height)
    best = int(np.argmax(values))
    doubt = AREA_DOUBT * _areas(found.boxes)[best]
    return bool(
        found.scores[best] >= threshold + SCORE_DOUBT
        and np.count_nonzero(values >= values[best] - doubt) == 1
        and values[best] >= bar
        and _has_surroundings(found.boxes[best] * view.scale, window, view)
    )


def _values(
    boxes: npt.NDArray[np.float32],
    lengths: npt.NDArray[np.float32],
    selection: Selection,
    width: int,
    height: int,
    growth: float,
    shift: float,
) -> npt.NDArray[np.float64]:
    """Return what `selection` maximises, for faces `growth` times as long and `shift` lengths farther from the centre."""
    areas = (lengths.astype(np.float64) * growth) ** 2
    if selection == "largest":
        return areas
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # (n, 2)
    distances = np.hypot(*(centres - (width // 2, height // 2)).T) + shift * lengths
    return np.asarray(areas - 2 * np.maximum(distances, 0) ** 2)


def _around(boxes: npt.NDArray[np.float32], lengths: npt.NDArray[np.float32], view: View) -> _Window:
    """Return the window of `view` that shows all `boxes`, in pixels of the picture, with their surroundings."""
    height, width = view.pixels.shape[:2]
    margins = (SURROUNDINGS_PX + LEEWAY * lengths * view.scale)[:, None]
    left, top = ((boxes[:, :2] * view.scale - margins) // STRIDE_PX * STRIDE_PX).min(axis=0)
    right, bottom = (-(-(boxes[:, 2:] * view.scale + margins) // STRIDE_PX) * STRIDE_PX).max(axis=0)
    return _Window(max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom)))


def _has_surroundings(box: npt.NDArray[np.float32], window: _Window, view: View) -> bool:
    """Return whether `box`, in pixels of the view, is far from the edges that only the window has."""
    height, width = view.pixels.shape[:2]
    return bool(
        (window.left == 0 or box[0] - window.left >= SURROUNDINGS_PX)
        and (window.top == 0 or box[1] - window.top >= SURROUNDINGS_PX)
        and (window.right == width or window.right - box[2] >= SURROUNDINGS_PX)
        and (window.bottom == height or window.bottom - box[3] >= SURROUNDINGS_PX)
    )


def _look_through(
    window: _Window, detector: ScrfdDetector, view: View, threshold: float, nms_threshold: float
) -> Detections:
    part = View(view.pixels[window.top : window.bottom, window.left : window.right], view.scale, (0, 0))
    return detector.look(part, threshold, nms_threshold).moved(window.left / view.scale, window.top / view.scale)


def _areas(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
