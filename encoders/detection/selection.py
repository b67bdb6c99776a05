"""Chooses the faces that an answer holds from those that were found."""

import numpy as np

from encoders.detection.detector import Detections
from encoders.types import AnalyzeOptions


def select(found: Detections, options: AnalyzeOptions, width: int, height: int) -> Detections:
    """Return the faces of `found`, largest first, that `options` asks for; `width` and `height` of the picture."""
    if options.selection == "all":
        return found.taken(slice(0, options.max_faces))
    if options.selection == "largest" or len(found) == 0:
        return found.taken(slice(0, 1))
    areas = (found.boxes[:, 2] - found.boxes[:, 0]) * (found.boxes[:, 3] - found.boxes[:, 1])
    centres = (found.boxes[:, :2] + found.boxes[:, 2:]) / 2  # (n, 2)
    distances = ((centres - (width // 2, height // 2)) ** 2).sum(axis=1)
    best = int(np.argmax(areas - 2 * distances))
    return found.taken(slice(best, best + 1))
