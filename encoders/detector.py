"""Finds faces with SCRFD: InsightFace's own class, on our session, at inputs cut to the picture's shape."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

InputSize = tuple[int, int]

STRIDE_PX = 32  # SCRFD's feature maps need inputs that are multiples of this
PADDING_PX = 64  # black that stays beside the picture, see _fit
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

    def __init__(self, model_file: str, session: Any, trims_padding: bool) -> None:
        from insightface.model_zoo.scrfd import SCRFD

        # static_shape_sessions would open one more session, with its own threads and memory, for each input size.
        self._scrfd = SCRFD(model_file=model_file, session=session, static_shape_sessions=False)
        self._static_size: InputSize | None = self._scrfd.static_input_size
        self._trims_padding = trims_padding and self._static_size is None

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
        input_sizes = tuple((_round_up(width), _round_up(height)) for width, height in input_sizes)
        height, width = pixels.shape[:2]
        fitting = [self._fit(width, height, size) for size in input_sizes]
        sizes = [size for size in fitting if size is not None]
        if not sizes:
            return _none()
        self._scrfd.nms_thresh = nms_threshold
        found, landmarks = self._scrfd.detect(pixels, input_size=sizes, det_thresh=threshold)
        return _largest_first(found, landmarks)

    @property
    def takes_windows(self) -> bool:
        """Whether to `look` at views of any shape. On a GPU each new shape costs more than it saves."""
        return self._trims_padding

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
        # not detect(): its arithmetic makes some inputs, 352x480 for one, a pixel smaller than they are
        by_stride = self._scrfd.forward(view.pixels, threshold)
        scores, boxes, landmarks = (np.concatenate(outputs) for outputs in by_stride)
        if len(scores) == 0:
            return _none()
        self._scrfd.nms_thresh = nms_threshold
        found = np.hstack((boxes / view.scale, scores)).astype(np.float32)  # (n, 5)
        order = np.argsort(-found[:, 4], kind="stable")
        kept = order[self._scrfd.nms(found[order])]
        return _largest_first(found[kept], (landmarks[kept] / view.scale).astype(np.float32))

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
        if not self._trims_padding:
            return size
        return min(size[0], _round_up(fitted_width + PADDING_PX)), min(size[1], _round_up(fitted_height + PADDING_PX))


def _round_up(length_px: float) -> int:
    return -(-int(length_px) // STRIDE_PX) * STRIDE_PX


def _largest_first(found: npt.NDArray[np.float32], landmarks: npt.NDArray[np.float32]) -> Detections:
    areas = (found[:, 2] - found[:, 0]) * (found[:, 3] - found[:, 1])
    order = np.argsort(-areas, kind="stable")
    return Detections(found[order, :4], found[order, 4], landmarks[order])


def _none() -> Detections:
    return Detections(np.empty((0, 4), np.float32), np.empty(0, np.float32), np.empty((0, 5, 2), np.float32))
