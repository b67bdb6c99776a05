"""Finds the largest face of a picture: looks at the picture small, and at that face's surroundings in full.

The answer is that of the detector's whole input or none at all. The small look only says where to look: landmarks
found in it give embeddings with a mean cosine of 0.97 to those of the whole input, which is not good enough. So the
face is found again in a window of the very pixels that the whole input would show, on the same grid of strides.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from encoders.detection.detector import STRIDE_PX, Detections, ScrfdDetector, View
from encoders.runtimes.networks import InputSize

# The longer sides of the small looks; a further one is taken where the face is too small for the one before. Of the
# whole input's work, 17 portraits take 0.80 with 160 and 0.79 with (160, 256); 786 pictures of all kinds, groups
# and partly hidden faces among them, 0.92 and 0.95. A look that could not tell is lost: 6% and 20%.
SMALL_LOOKS_PX = (160,)

# Measured with SCRFD-500MF on 424 pictures with 861 faces: photos scaled, cropped, turned, darkened, blurred, tiled. Of
# the faces that the whole input shows, the largest one without a candidate in a small look was 18 px long in it, the
# square root of the box's area; the largest below half of the threshold, 29 px.
CANDIDATE_SHARE = 0.2  # of the detection threshold
BLIND_PX = 24.0
GROWTH = 1.2  # a face of BLIND_PX or more is 0.87 to 1.16 times as long in one look as in the other

# The network sees the window's edge as it sees the picture's. With 160 px around the face, 6 of 1,225 embeddings have
# a cosine below 0.99 to that of the whole input, 5 of them from heavy noise, the least 0.966. With 128 px it was 18 of
# 547, the least 0.911, for 0.74 of the work instead of 0.80.
SURROUNDINGS_PX = 160
LEEWAY = 0.08  # of the face's length, added to the surroundings because the small look places it no better
LARGEST_WINDOW = 0.85  # of the whole input's area; from there on, both looks together save too little

# Between window and whole input, scores differ by up to 0.008 and areas by 1.5%.
SCORE_DOUBT = 0.02
AREA_DOUBT = 0.04


@dataclass(frozen=True, slots=True)
class _Window:
    """A part of a view, in the view's pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def area(self) -> int:
        return (self.right - self.left) * (self.bottom - self.top)


def find_largest_face(
    detector: ScrfdDetector,
    pixels: npt.NDArray[np.uint8],
    input_size: InputSize,
    threshold: float,
    nms_threshold: float,
) -> Detections | None:
    """Return faces in BGR `pixels`, the first of them the largest of all that `input_size` would show.

    None when the small looks cannot tell: no face is large enough in them, one that they miss may be larger, or the
    window would be about the whole picture. The other faces are those that happen to be in the window.
    """
    view = detector.view(pixels, input_size)
    if view is None:
        return None
    for small_px in SMALL_LOOKS_PX:
        small = view.shrunk(small_px)
        if small is None:
            return None
        candidates = detector.look(small, threshold * CANDIDATE_SHARE, nms_threshold)
        areas = _areas(candidates.boxes)
        faces = areas[candidates.scores >= threshold]
        if len(faces) == 0:
            return None
        missed = (BLIND_PX / small.scale) ** 2  # the area of a face that this look may not show, in the picture
        if faces.max() * GROWTH**2 < missed:
            continue
        may_win = areas * GROWTH**2 >= faces.max() / GROWTH**2
        window = _around(candidates.boxes[may_win], view)
        if window.area() > LARGEST_WINDOW * view.area:
            return None
        part = View(view.pixels[window.top : window.bottom, window.left : window.right], view.scale, (0, 0))
        found = detector.look(part, threshold - SCORE_DOUBT, nms_threshold)
        found = found.moved(window.left / view.scale, window.top / view.scale)
        outside = areas[~may_win].max(initial=0.0) * GROWTH**2
        if not _is_sure(found, threshold, max(missed, outside)):
            return None
        return found.taken(found.scores >= threshold) if _has_surroundings(found, window, view) else None
    return None


def _is_sure(found: Detections, threshold: float, elsewhere: float) -> bool:
    """Return whether the largest of `found` is the whole input's, too; `elsewhere`: the area of any face not in it."""
    if len(found) == 0:
        return False
    areas = _areas(found.boxes)  # largest first
    return bool(
        found.scores[0] >= threshold + SCORE_DOUBT
        and areas[0] >= elsewhere
        and areas[1:].max(initial=0.0) < areas[0] * (1 - AREA_DOUBT)
    )


def _around(boxes: npt.NDArray[np.float32], view: View) -> _Window:
    """Return the window of `view` that shows `boxes`, in pixels of the picture, with their surroundings."""
    height, width = view.pixels.shape[:2]
    margins = SURROUNDINGS_PX + LEEWAY * view.scale * np.sqrt(_areas(boxes))[:, None]  # (n, 1)
    left, top = ((boxes[:, :2] * view.scale - margins) // STRIDE_PX * STRIDE_PX).min(axis=0)
    right, bottom = (-(-(boxes[:, 2:] * view.scale + margins) // STRIDE_PX) * STRIDE_PX).max(axis=0)
    return _Window(max(0, int(left)), max(0, int(top)), min(width, int(right)), min(height, int(bottom)))


def _has_surroundings(found: Detections, window: _Window, view: View) -> bool:
    """Return whether the largest of `found` is far from the edges that only the window has."""
    height, width = view.pixels.shape[:2]
    left, top, right, bottom = found.boxes[0] * view.scale
    return bool(
        (window.left == 0 or left - window.left >= SURROUNDINGS_PX)
        and (window.top == 0 or top - window.top >= SURROUNDINGS_PX)
        and (window.right == width or window.right - right >= SURROUNDINGS_PX)
        and (window.bottom == height or window.bottom - bottom >= SURROUNDINGS_PX)
    )


def _areas(boxes: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))
