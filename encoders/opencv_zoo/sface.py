"""Rewrites SFace as an ArcFace: RGB from -1 to 1 in, any batch, 512 numbers out.

SFace gives 128 numbers; 384 zeros after them leave every cosine as it is. Batch normalisations go into the convolutions
before them. Every weight comes of single operations in float64 that are rounded once, without sums: the file has one
digest wherever it is made, and that digest is what collections are bound to.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from encoders.opencv_zoo.graphs import Attributes, Weights, in_float, write

SFACE_DIMENSION = 128
DIMENSION = 512
# SFace subtracts 127.5 and multiplies by 1/128 itself; the service subtracts 127.5 and divides by 127.5.
INPUT_FACTOR = 127.5 * 0.0078125


def rewrite(model: onnx.ModelProto, path: Path) -> None:
    """Write SFace's `model` to `path` as an ArcFace. Raises ValueError for a graph that is not SFace's."""
    rewriting = _Rewriting(*in_float(model))
    rewriting.write(path)


class _Rewriting:
    """The nodes made so far. `_sources`: by which name an output that is gone is known now."""

    def __init__(self, nodes: list[tuple[onnx.NodeProto, Attributes]], weights: Weights) -> None:
        self._weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._makers: dict[str, str] = {}  # output of a convolution or product -> the name of its weights
        self._sources = {"data": "input"}
        for node, attributes in nodes:
            self._add(node, attributes)

    def write(self, path: Path) -> None:
        self._weights["pads"] = np.array([0, 0, 0, DIMENSION - SFACE_DIMENSION], np.int64)
        self._nodes.append(helper.make_node("Pad", [self._sources["fc1"], "pads"], ["embedding"], name="pad"))
        weights = {
            name: value.astype(np.float32) if value.dtype == np.float64 else value
            for name, value in self._weights.items()
        }
        write(
            path,
            "sface",
            self._nodes,
            weights,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 112, 112])],
            [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSION])],
        )

    def _add(self, node: onnx.NodeProto, attributes: Attributes) -> None:
        source, output = self._sources.get(node.input[0], node.input[0]), node.output[0]
        if node.op_type in ("Sub", "Mul", "Dropout"):  # the first two scale the input, the last trains
            self._sources[output] = source
        elif node.op_type == "Conv":
            self._add_convolution(node, attributes, source)
        elif node.op_type == "BatchNormalization":
            self._add_normalisation(node, attributes, source)
        elif node.op_type == "PRelu":
            name = f"p{len(self._nodes)}"
            self._weights[name] = self._weights[node.input[1]]
            self._nodes.append(helper.make_node("PRelu", [source, name], [output], name=name))
        elif node.op_type == "Flatten":
            self._nodes.append(helper.make_node("Flatten", [source], [output], name="flat", axis=1))
        elif node.op_type == "Gemm":
            self._weights["fc_w"], self._weights["fc_b"] = map(self._exact, node.input[1:3])  # (128, 50176), (128,)
            self._nodes.append(helper.make_node("Gemm", [source, "fc_w", "fc_b"], [output], name="fc", transB=1))
            self._makers[output] = "fc"
        else:
            raise ValueError(f"expected the graph of SFace, found a node {node.op_type}")

    def _add_convolution(self, node: onnx.NodeProto, attributes: Attributes, source: str) -> None:
        kernel = self._exact(node.input[1])
        if source == "input":
            kernel = kernel * INPUT_FACTOR
        name = f"c{len(self._makers)}"
        self._weights[f"{name}_w"] = kernel
        self._weights[f"{name}_b"] = self._exact(node.input[2]) if len(node.input) > 2 else np.zeros(len(kernel))
        self._nodes.append(
            helper.make_node("Conv", [source, f"{name}_w", f"{name}_b"], [node.output[0]], name=name, **attributes)
        )
        self._makers[node.output[0]] = name

    def _add_normalisation(self, node: onnx.NodeProto, attributes: Attributes, source: str) -> None:
        gamma, beta, mean, variance = map(self._exact, node.input[1:5])
        scale = gamma / np.sqrt(variance + attributes["epsilon"])
        shift = beta - mean * scale
        if (name := self._makers.get(source)) is not None:
            kernel = self._weights[f"{name}_w"]
            self._weights[f"{name}_w"] = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1))
            self._weights[f"{name}_b"] = self._weights[f"{name}_b"] * scale + shift
            self._sources[node.output[0]] = source
            return
        # The one before the flattening: the product behind it could take it, by sums.
        self._weights["bn_scale"], self._weights["bn_shift"] = scale.reshape(-1, 1, 1), shift.reshape(-1, 1, 1)
        self._nodes.append(helper.make_node("Mul", [source, "bn_scale"], ["bn_scaled"], name="bn_scaled"))
        self._nodes.append(helper.make_node("Add", ["bn_scaled", "bn_shift"], [node.output[0]], name="bn"))

    def _exact(self, name: str) -> npt.NDArray[np.float64]:
        return self._weights[name].astype(np.float64)
