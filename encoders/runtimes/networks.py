"""A model as its user sees it: pictures in, arrays out. Which runtime runs it is decided when it is opened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import numpy.typing as npt

InputSize = tuple[int, int]  # width, height in pixels
Picture = npt.NDArray[np.uint8]  # (height, width, 3), BGR
Array = npt.NDArray[np.float32]

# Inputs of any sides that are multiples of 32; in the shapes of usual photos, for runtimes on which a new shape costs
# something; or never cut, for those on which it costs much.
Shapes = Literal["any", "usual", "whole"]


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a model wants of a colour value in 0 to 255: (value - mean) / deviation, red first."""

    mean: float
    deviation: float


class Network(Protocol):
    """A model that is ready to run, from one thread at a time or from several."""

    @property
    def input_size(self) -> InputSize | None:
        """The one size that the model takes; None when it takes any."""
        ...

    @property
    def takes_batches(self) -> bool:
        """Whether it takes more than one picture at once."""
        ...

    def run(self, pictures: Sequence[Picture]) -> list[Array]:
        """Return the model's outputs, in its order, for uint8 pictures (height, width, 3), BGR, all of one size."""
        ...


class OnnxNetwork:
    """A model in an ONNX Runtime session."""

    def __init__(self, session: Any, scaling: Scaling) -> None:
        model_input = session.get_inputs()[0]
        batch, _, height, width = model_input.shape
        self._session = session
        self._input_name = model_input.name
        self._table = _scaled_values(scaling)
        self._takes_batches = not isinstance(batch, int)
        self._input_size = (width, height) if isinstance(width, int) and isinstance(height, int) else None

    @property
    def input_size(self) -> InputSize | None:
        return self._input_size

    @property
    def takes_batches(self) -> bool:
        return self._takes_batches

    def run(self, pictures: Sequence[Picture]) -> list[Array]:
        outputs: list[Array] = self._session.run(None, {self._input_name: _blob_of(pictures, self._table)})
        return outputs


def _scaled_values(scaling: Scaling) -> Array:
    values = (np.arange(256, dtype=np.float64) - scaling.mean) / scaling.deviation
    return values.astype(np.float32)


def _blob_of(pictures: Sequence[Picture], table: Array) -> Array:
    """Return float32 (n, 3, height, width), RGB. A table lookup takes 0.5 ms at 640x512, cv2.dnn's blob 2.8."""
    height, width = pictures[0].shape[:2]
    blob = np.empty((len(pictures), 3, height, width), np.float32)
    for number, picture in enumerate(pictures):
        for channel, plane in enumerate(cv2.split(picture)):
            cv2.LUT(plane, table, dst=blob[number, 2 - channel])
    return blob
