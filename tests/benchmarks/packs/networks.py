"""Builds convolutional networks as ONNX graphs with seeded random weights that keep activations near one.

Channel 0 of a network can be led past the random ones, untouched: what the first layer writes there arrives at the
last. The other channels cost what a trained network's do.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

Activation = Literal["none", "relu", "prelu"]
PRELU_SLOPE = 0.25


@dataclass(frozen=True, slots=True)
class Tensor:
    """A value in the graph: its channels, and the mean square of what the random channels hold."""

    name: str
    channels: int
    power: float = 1.0


class Network:
    """A graph under construction."""

    def __init__(self, seed: int, leads_channel_0: bool) -> None:
        self.random = np.random.default_rng(seed)
        self.leads_channel_0 = leads_channel_0
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[TensorProto] = []

    def node(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def constant(self, values: np.ndarray) -> str:
        name = f"weight{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(
        self,
        source: Tensor,
        channels: int,
        kernel: int,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        activation: Activation = "none",
        leads: bool = True,
    ) -> Tensor:
        """A convolution with its batch normalisation folded in; `leads` it channel 0 on, or drops it."""
        fan_in = source.channels // groups * kernel * kernel
        shape = (channels, source.channels // groups, kernel, kernel)
        weights = self.random.standard_normal(shape) / np.sqrt(fan_in * source.power)
        if self.leads_channel_0:
            weights[0] = 0
            weights[1:, 0] *= 0 if groups == 1 else 1
            if leads:
                weights[0, 0, kernel // 2, kernel // 2] = 1
        return self.conv_of(source, weights, np.zeros(channels), stride, padding, groups, activation)

    def conv_of(
        self,
        source: Tensor,
        weights: np.ndarray,
        bias: np.ndarray,
        stride: int = 1,
        padding: int | None = None,
        groups: int = 1,
        activation: Activation = "none",
    ) -> Tensor:
        kernel = weights.shape[-1]
        padding = kernel // 2 if padding is None else padding
        name = self.node(
            "Conv",
            [source.name, self.constant(weights.astype(np.float32)), self.constant(bias.astype(np.float32))],
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[padding] * 4,
            group=groups,
        )
        return self.activate(Tensor(name, len(weights)), activation)

    def activate(self, source: Tensor, activation: Activation) -> Tensor:
        if activation == "relu":
            return Tensor(self.node("Relu", [source.name]), source.channels, source.power / 2)
        if activation == "prelu":
            slopes = self.constant(np.full((source.channels, 1, 1), PRELU_SLOPE, np.float32))
            power = source.power * (1 + PRELU_SLOPE**2) / 2
            return Tensor(self.node("PRelu", [source.name, slopes]), source.channels, power)
        return source

    def batch_norm(self, source: Tensor) -> Tensor:
        mean, one = np.zeros(source.channels, np.float32), np.ones(source.channels, np.float32)
        inputs = [self.constant(values) for values in (one, mean, mean, one * np.float32(source.power))]
        return Tensor(self.node("BatchNormalization", [source.name, *inputs], epsilon=1e-5), source.channels)

    def add(self, one: Tensor, other: Tensor) -> Tensor:
        return Tensor(self.node("Add", [one.name, other.name]), one.channels, one.power + other.power)

    def pool(self, source: Tensor, kind: Literal["MaxPool", "AveragePool"]) -> Tensor:
        name = self.node(kind, [source.name], kernel_shape=[2, 2], strides=[2, 2])
        return Tensor(name, source.channels, source.power)

    def linear(self, source: str, features: int, size: int, has_bias: bool = True) -> str:
        weights = self.random.standard_normal((size, features)) / np.sqrt(features)
        inputs = [source, self.constant(weights.astype(np.float32))]
        if has_bias:
            inputs.append(self.constant(np.zeros(size, np.float32)))
        return self.node("Gemm", inputs, transB=1)

    def model(
        self, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto], name: str
    ) -> onnx.ModelProto:
        """The finished model, in the opset that InsightFace's packs have."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)


def flops(model: onnx.ModelProto, input_shape: tuple[int, ...]) -> int:
    """Floating-point operations of one run, a multiply-add counted as two; convolutions and products alone."""
    counted = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    weights = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    probe = onnx.ModelProto.FromString(model.SerializeToString())
    del probe.graph.output[:]
    for node in counted:
        probe.graph.output.append(helper.make_tensor_value_info(node.output[0], TensorProto.FLOAT, None))
    # A run says the shapes that inference loses behind a Resize of computed size.
    session = onnxruntime.InferenceSession(probe.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {model.graph.input[0].name: np.zeros(input_shape, np.float32)})
    return sum(
        2 * int(np.prod(weights[node.input[1]][1:])) * output.size
        for node, output in zip(counted, outputs, strict=True)
    )


def parameters(model: onnx.ModelProto) -> int:
    """Numbers in the weights."""
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
