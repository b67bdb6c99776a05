"""Finds faces with SCRFD, at inputs cut to the picture's shape."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from encoders.detection.scrfd import read_candidates, without_overlaps
from encoders.runtimes.networks import InputSize, Network, Scaling, Shapes

SCALING = Scaling(127.5, 128.0)

STRIDE_PX = 32  # SCRFD's feature maps need inputs that are multiples of this
PADDING_PX = 64  # black that stays beside the picture, see _fit
USUAL_RATIOS = (16 / 9, 3 / 2, 4 / 3)  # of photos' sides
SMALLEST_FACE_PX = 16  # SCRFD's smallest anchor: a picture that is narrower at the detector's input has no face


@dataclass(frozen=True, eq=False, slots=True)
class Detections:
    """`boxes`: float32 (n, 4), left, top, right, bottom; `scores`: (n,); `landmarks`: (n, 5, 2). Largest first."""

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    landmarks: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.boxes)

    def taken(self, chosen: Any) -> "Detections":
        """Return those at `chosen`, a slice or a mask."""
        return Detections(self.boxes[chosen], self.scores[chosen], self.landmarks[chosen])

    def moved(self, x: float, y: float) -> "Detections":
        """Return the same faces `x` to the right and `y` down."""
        shift = np.array([x, y], np.float32)
        return Detections(self.boxes + np.tile(shift, 2), self.scores, self.landmarks + shift)


@dataclass(frozen=True, eq=False, slots=True)
class View:
    """A picture as the detector sees it: at `scale` of its size, black at the right and below.

    `pixels`: uint8 (height, width, 3), BGR, both multiples of 32; `fitted`: width and height without the black.
    """

    pixels: npt.NDArray[np.uint8]
    scale: float
    fitted: tuple[int, int]

    @property
    def area(self) -> int:
        return int(self.pixels[:, :, 0].size)

    def shrunk(self, longer_px: int) -> "View | None":
        """Return this view with its picture at `longer_px`; None if that is not smaller, or shrinks it to a line.

        Averaged, since sampling would drop the pixels that tell a small face, and with as little black as there can be.
        """
        share = longer_px / max(self.fitted)
        width, height = round(self.fitted[0] * share), round(self.fitted[1] * share)
        if share >= 1 or min(width, height) < SMALLEST_FACE_PX:
            return None
        picture = self.pixels[: self.fitted[1], : self.fitted[0]]
        pixels = np.zeros((_round_up(height), _round_up(width), 3), np.uint8)
        pixels[:height, :width] = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        return View(pixels, self.scale * share, (width, height))


class ScrfdDetector:
    """An SCRFD model, ready to look at pictures of any shape."""

    def __init__(self, network: Network, shapes: Shapes) -> None:
        self._network = network
        self._static_size = network.input_size
        self._shapes: Shapes = shapes if self._static_size is None else "whole"

    def detect(
        self,
        pixels: npt.NDArray[np.uint8],
        input_sizes: tuple[InputSize, ...],
        threshold: float,
        nms_threshold: float,
    ) -> Detections:
        """Return the faces in BGR `pixels` that score `threshold` or more, found at any of `input_sizes`.

        Input sizes are (width, height) in pixels, rounded up to multiples of 32; a model of fixed input ignores them.
        """
        if self._static_size is not None:
            input_sizes = (self._static_size,)
        views = [self.view(pixels, size) for size in input_sizes]
        return _largest_first([self._candidates(view, threshold) for view in views if view is not None], nms_threshold)

    @property
    def takes_windows(self) -> bool:
        """Whether to `look` at views of any shape. Where a new shape costs something, that is more than it saves."""
        return self._shapes == "any"

    def shape_for(self, size: InputSize, whole: InputSize) -> InputSize:
        """Return the input to show what fits into `size`, multiples of 32: `whole` where no other shape is taken."""
        return self._static_size or (whole if self._shapes == "whole" else size)

    def view(self, pixels: npt.NDArray[np.uint8], input_size: InputSize) -> View | None:
        """Return what `detect` would show the network of BGR `pixels`, to the pixel; None if it would show nothing."""
        height, width = pixels.shape[:2]
        size = self._fit(width, height, (_round_up(input_size[0]), _round_up(input_size[1])))
        if size is None:
            return None
        # SCRFD's own arithmetic, which rounds down the shorter side and takes its scale from the height
        if height / width > size[1] / size[0]:
            fitted = (int(size[1] / (height / width)), size[1])
        else:
            fitted = (size[0], int(size[0] * (height / width)))
        canvas = np.zeros((size[1], size[0], 3), np.uint8)
        canvas[: fitted[1], : fitted[0]] = cv2.resize(pixels, fitted)
        return View(canvas, fitted[1] / height, fitted)

    def look(self, view: View, threshold: float, nms_threshold: float) -> Detections:
        """Return the faces in `view` that score `threshold` or more, in pixels of the picture it shows."""
        return _largest_first([self._candidates(view, threshold)], nms_threshold)

    def _candidates(self, view: View, threshold: float) -> Detections:
        boxes, scores, landmarks = read_candidates(self._network.run([view.pixels]), view.pixels.shape[1], threshold)
        return Detections(boxes / np.float32(view.scale), scores, landmarks / np.float32(view.scale))

    def _fit(self, width: int, height: int, size: InputSize) -> InputSize | None:
        """Return the input for a picture of this size, or None when it would shrink to a line.

        SCRFD fits the picture into the input's top left corner and pads the rest with black. Most of that is cut off
        here: a 3:2 photo costs 640x512 instead of 640x640, a fifth less. The faces come at the same scale, but the
        network sees the edge: with 64 px of black left, the embeddings of 26 faces keep a cosine of 0.9996 and more to
        those of the whole input, with none left of 0.989.
        """
        scale = min(size[0] / width, size[1] / height)
        fitted_width, fitted_height = width * scale, height * scale
        if min(fitted_width, fitted_height) < SMALLEST_FACE_PX:
            return None
        if self._shapes == "whole":
            return size
        needed = (
            min(size[0], _round_up(fitted_width + PADDING_PX)),
            min(size[1], _round_up(fitted_height + PADDING_PX)),
        )
        return needed if self._shapes == "any" else _usual(needed, size)


def _usual(needed: InputSize, size: InputSize) -> InputSize:
    """Return the smallest input for a usual photo that holds one of `needed`, else `size`."""
    return _usual_side(needed[0], size[0]), _usual_side(needed[1], size[1])


def _usual_side(needed_px: int, longest_px: int) -> int:
    sides = (_round_up(longest_px / ratio + PADDING_PX) for ratio in USUAL_RATIOS)
    return next((side for side in sides if needed_px <= side < longest_px), longest_px)


def _round_up(length_px: float) -> int:
    return -(-int(length_px) // STRIDE_PX) * STRIDE_PX


def _largest_first(candidates: list[Detections], nms_threshold: float) -> Detections:
    """Return each face of `candidates` once, where it scored best."""
    if sum(map(len, candidates)) == 0:
        return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
    boxes = np.concatenate([found.boxes for found in candidates])
    scores = np.concatenate([found.scores for found in candidates])
    landmarks = np.concatenate([found.landmarks for found in candidates])
    kept = without_overlaps(boxes, scores, nms_threshold)
    areas = (boxes[kept, 2] - boxes[kept, 0]) * (boxes[kept, 3] - boxes[kept, 1])
    order = kept[np.argsort(-areas, kind="stable")]
    return Detections(boxes[order], scores[order], landmarks[order])
