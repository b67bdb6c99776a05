"""Rewrites YuNet as an SCRFD: RGB, (x - 127.5) / 128 in, nine outputs at strides of 8, 16 and 32.

SCRFD has two anchors in each cell and YuNet one: the second never scores. Boxes become distances from the corner of
the cell.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from encoders.opencv_zoo.graphs import Attributes, Weights, in_float, write

STRIDES = (8, 16, 32)
# YuNet's own score is the root of its two. Its cube lays 0.79 at 0.5 and 0.93 at 0.80, as SCRFD scores: in nine photos
# of groups the same 43 faces as SCRFD-500MF's are at or above 0.5, and 8 backs of heads and figures no longer are.
SCORE_POWER = 1.5


def rewrite(model: onnx.ModelProto, path: Path) -> None:
    """Write YuNet's `model` to `path` as an SCRFD."""
    nodes, weights = in_float(model)
    _add_constants(weights)
    made, heads = _body(nodes, weights)
    scores, boxes, points = [], [], []
    for stride in STRIDES:
        scores.append(_scores(made, heads, stride))
        boxes.append(_boxes(made, heads, stride))
        landmarks = heads[f"kps_{stride}"]
        both = _add(made, "Concat", [landmarks, landmarks], f"kps{stride}_2", axis=1)
        points.append(_rows(made, both, f"points_{stride}", 10))
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, columns])
        for names, columns in ((scores, 1), (boxes, 4), (points, 10))
        for name in names
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])]
    write(path, "yunet", made, weights, inputs, outputs)


def _add_constants(weights: Weights) -> None:
    weights["dev"], weights["mean"] = np.asarray(128, np.float32), np.asarray(127.5, np.float32)
    weights["power"], weights["half"] = np.asarray(SCORE_POWER, np.float32), np.asarray(0.5, np.float32)
    weights["zero"] = np.asarray(0, np.float32)
    weights["flat1"], weights["flat4"], weights["flat10"] = (np.array([-1, n], np.int64) for n in (1, 4, 10))
    weights["first2"], weights["last2"] = np.array([0, 1], np.int64), np.array([2, 3], np.int64)


def _body(
    nodes: list[tuple[onnx.NodeProto, Attributes]], weights: Weights
) -> tuple[list[onnx.NodeProto], dict[str, str]]:
    """Return YuNet's nodes up to its heads, and for each of its outputs the convolution's output behind it."""
    made = [  # colour values again: YuNet pads with black, so that its scaling cannot go into the kernel
        helper.make_node("Mul", ["input", "dev"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["colours"]),
    ]
    heads: dict[str, str] = {}
    for node, attributes in nodes:
        inputs = list(node.input)
        if node.op_type in ("Transpose", "Reshape", "Sigmoid"):
            heads[node.output[0]] = heads.get(inputs[0], inputs[0])
            continue
        if node.op_type == "Conv" and inputs[0] == "input":  # blue first in YuNet, red first in the service
            weights["k0"] = weights[inputs[1]][:, ::-1]
            inputs = ["colours", "k0", *inputs[2:]]
        elif node.op_type == "Resize":  # without its empty sizes, any side that is a multiple of 32 works
            inputs = [inputs[0], "", inputs[2]]
            attributes = {
                "mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"
            }  # fmt: skip
        made.append(helper.make_node(node.op_type, inputs, list(node.output), **attributes))
    return made, heads


def _scores(made: list[onnx.NodeProto], heads: dict[str, str], stride: int) -> str:
    seen = _add(made, "Sigmoid", [heads[f"cls_{stride}"]], f"cls{stride}")
    there = _add(made, "Sigmoid", [heads[f"obj_{stride}"]], f"obj{stride}")
    product = _add(made, "Mul", [seen, there], f"prod{stride}")
    score = _add(made, "Pow", [product, "power"], f"score{stride}_1")
    never = _add(made, "Mul", [score, "zero"], f"score{stride}_0")
    return _rows(made, _add(made, "Concat", [score, never], f"score{stride}_2", axis=1), f"score_{stride}", 1)


def _boxes(made: list[onnx.NodeProto], heads: dict[str, str], stride: int) -> str:
    box = heads[f"bbox_{stride}"]
    shift = _add(made, "Gather", [box, "first2"], f"shift{stride}", axis=1)  # of the box's centre, in cells
    log = _add(made, "Gather", [box, "last2"], f"log{stride}", axis=1)
    half = _add(made, "Mul", [_add(made, "Exp", [log], f"size{stride}"), "half"], f"half{stride}")
    before = _add(made, "Sub", [half, shift], f"before{stride}")
    after = _add(made, "Add", [half, shift], f"after{stride}")
    sides = _add(made, "Concat", [before, after], f"sides{stride}", axis=1)
    return _rows(made, _add(made, "Concat", [sides, sides], f"sides{stride}_2", axis=1), f"box_{stride}", 4)


def _rows(made: list[onnx.NodeProto], source: str, name: str, columns: int) -> str:
    """Turn (1, columns * anchors, height, width) into (-1, columns)."""
    transposed = _add(made, "Transpose", [source], f"{name}_t", perm=[0, 2, 3, 1])
    return _add(made, "Reshape", [transposed, f"flat{columns}"], name)


def _add(made: list[onnx.NodeProto], op: str, inputs: list[str], output: str, **attributes: Any) -> str:
    made.append(helper.make_node(op, inputs, [output], **attributes))
    return output
