"""Takes an ONNX graph apart and puts it together, with one digest wherever that is done."""

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

OPSET, IR = 13, 8  # plain enough for ONNX Runtime, OpenVINO and TensorRT

Weights: TypeAlias = dict[str, npt.NDArray[Any]]
Attributes: TypeAlias = dict[str, Any]


def in_float(model: onnx.ModelProto) -> tuple[list[tuple[onnx.NodeProto, Attributes]], Weights]:
    """Return the nodes with their attributes, and the weights by name, with the quantised ones written out.

    No DequantizeLinear and no Constant is left. DequantizeLinear of opset 21 repeats scale and zero point `block_size`
    times along `axis`.
    """
    weights: Weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    nodes = []
    for node in model.graph.node:
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        if node.op_type == "DequantizeLinear":
            quantised, scale, zero = (weights[name] for name in node.input)
            axis, block = attributes["axis"], attributes["block_size"]
            places = range(quantised.shape[axis])
            scale, zero = (
                np.take(np.repeat(part, block, axis), places, axis).astype(np.float32) for part in (scale, zero)
            )
            weights[node.output[0]] = (quantised.astype(np.float32) - zero) * scale
        elif node.op_type == "Reshape" and all(name in weights for name in node.input):
            weights[node.output[0]] = weights[node.input[0]].reshape(weights[node.input[1]])
        elif node.op_type == "Constant":
            weights[node.output[0]] = numpy_helper.to_array(attributes["value"])
        else:
            nodes.append((node, attributes))
    return nodes, weights


def write(
    path: Path,
    name: str,
    nodes: list[onnx.NodeProto],
    weights: Weights,
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
) -> None:
    """Write a checked model with those of `weights` that are used, in the order of their names."""
    used = {name for node in nodes for name in node.input}
    tensors = [
        numpy_helper.from_array(np.ascontiguousarray(value), key)
        for key, value in sorted(weights.items())
        if key in used
    ]
    graph = helper.make_graph(nodes, name, inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="faceserve")
    model.ir_version = IR
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))
