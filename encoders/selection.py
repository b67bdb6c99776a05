"""Chooses the faces that an answer holds from those that were found."""

import numpy as np
import numpy.typing as npt

from encoders.detector import Detections
from encoders.types import AnalyzeOptions, Selection


def select(found: Detections, options: AnalyzeOptions, width: int, height: int) -> Detections:
    """Return the faces of `found`, largest first, that `options` asks for; `width` and `height` of the picture."""
    if options.selection == "all":
        return found.taken(slice(0, options.max_faces))
    if len(found) == 0:
        return found
    best = int(np.argmax(selection_values(found.boxes, options.selection, width, height)))
    return found.taken(slice(best, best + 1))


def selection_values(
    boxes: npt.NDArray[np.float32], selection: Selection, width: int, height: int
) -> npt.NDArray[np.float32]:
    """Return what `selection` maximises, for each of `boxes` in a picture of this size: square pixels, (n,)."""
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    if selection != "center_largest":
        return np.asarray(areas)
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # (n, 2)
    distances = ((centres - (width // 2, height // 2)) ** 2).sum(axis=1)
    return np.asarray(areas - 2 * distances)
