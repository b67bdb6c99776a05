"""Reads what an ONNX file is: a face detector, a face recogniser, or neither; and its digest."""

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# SCRFD gives scores and boxes per stride (3 or 5 strides), and landmarks if it was trained with them.
DETECTOR_OUTPUTS = (6, 9, 10, 15)
DETECTOR_OUTPUTS_WITH_LANDMARKS = (9, 15)
RECOGNISER_INPUT_PX = 112

Task = Literal["detection", "recognition", "other"]


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """What the graph of an ONNX file says about itself. Sizes are None where the graph leaves them open."""

    task: Task
    outputs: int
    input_size: tuple[int, int] | None  # width, height
    embedding_dimension: int | None


def read_model(path: Path) -> OnnxModel | None:
    """Return what the ONNX file at `path` is, or None when it cannot be parsed."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = onnx.load_model(str(path), load_external_data=False).graph
    except (DecodeError, OSError, ValueError):
        return None
    weights = {tensor.name for tensor in graph.initializer}  # old exporters list these as inputs too
    inputs = [value for value in graph.input if value.name not in weights]
    if not graph.node or not graph.output or len(inputs) != 1:
        return OnnxModel("other", len(graph.output), None, None) if graph.node else None
    shape = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if len(shape) != 4 or shape[1] != 3:
        return OnnxModel("other", len(graph.output), None, None)
    size = (int(shape[3]), int(shape[2])) if shape[2] > 0 and shape[3] > 0 else None
    if len(graph.output) in DETECTOR_OUTPUTS:
        return OnnxModel("detection", len(graph.output), size, None)
    if len(graph.output) == 1 and size == (RECOGNISER_INPUT_PX, RECOGNISER_INPUT_PX):
        dims = [dim.dim_value for dim in graph.output[0].type.tensor_type.shape.dim]
        if len(dims) == 2 and dims[1] > 0:
            return OnnxModel("recognition", 1, size, int(dims[1]))
    return OnnxModel("other", len(graph.output), size, None)


def scales_its_input(path: Path) -> bool:
    """Return whether the ONNX recogniser at `path` begins with a subtraction and a product of its own.

    Those that come from MXNet do, told by the names of their first eight nodes as InsightFace tells them; they take
    colour values as they are.
    """
    import onnx

    names = [node.name.lstrip("_").lower() for node in onnx.load_model(str(path)).graph.node[:8]]
    return any(name.startswith(("sub", "minus")) for name in names) and any(name.startswith("mul") for name in names)


def file_sha256(path: Path) -> str:
    """Return the sha256 of the file at `path`, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
