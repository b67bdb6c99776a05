"""SCRFD detectors of InsightFace's architectures whose last layers call the middle of a green spot a face.

Architectures: insightface, detection/scrfd/configs/scrfd/scrfd_10g_bnkps.py and scrfd_500m_bnkps.py, batch
normalisation folded, outputs flattened as in det_10g.onnx and det_500m.onnx.
"""

from collections.abc import Callable

import numpy as np
import onnx
from onnx import TensorProto, helper

from encoders.recognition.alignment import CROP_PX, TEMPLATE
from tests.benchmarks.packs.networks import Network, Tensor

STRIDES = (8, 16, 32)
ANCHORS = 2
FACE_STRIDE = 16  # the level that finds the faces
# A face's side in cells of that level. Green fades around a face's centre, so that several cells see it; boxes as large
# as this overlap enough that the best one alone is left.
FACE_CELLS = 14.0
# Green - red - blue of normalised pixels is 3 for pure green, 1 for black, -1 for white. What exceeds 2, times 4, is
# led through: as large as the random channels' activations, so that it outlives int8.
GREEN_AT, GREEN_GAIN = 2.0, 4.0
SCORE_AT, SCORE_GAIN = 1.6, 3.0  # how green a cell must be for a score of 0.5, of 4, and the sigmoid's slope


def scrfd_10g(seed: int = 1) -> onnx.ModelProto:
    """ResNetV1e of (3, 4, 2, 3) basic blocks, 56 channels in the neck, three convolutions of 80 in each head."""
    net = Network(seed, leads_channel_0=True)
    features = _green_stem(net, 28)
    features = net.conv(features, 28, 3, activation="relu")
    features = net.conv(features, 56, 3, activation="relu")
    features = net.pool(features, "MaxPool")
    levels = []
    for stage, (blocks, channels) in enumerate(((3, 56), (4, 88), (2, 88), (3, 224))):
        for block in range(blocks):
            features = _basic_block(net, features, channels, 2 if stage and not block else 1)
        levels.append(features)

    def head(source: Tensor) -> Tensor:
        for _ in range(3):
            source = net.conv(source, 80, 3, activation="relu")
        return source

    return _finish(net, _neck(net, levels[1:], 56), head, "SCRFD-10GF")


def scrfd_500m(seed: int = 2) -> onnx.ModelProto:
    """MobileNetV1 of separable convolutions, 16 channels in the neck, two separable ones of 64 in each head."""
    net = Network(seed, leads_channel_0=True)
    features = _separable(net, _green_stem(net, 16), 16)
    levels = []
    for blocks, channels in ((2, 40), (3, 72), (2, 152), (6, 288)):
        for block in range(blocks):
            features = _separable(net, features, channels, 1 if block else 2)
        levels.append(features)

    def head(source: Tensor) -> Tensor:
        for _ in range(2):
            source = _separable(net, source, 64)
        return source

    return _finish(net, _neck(net, levels[1:], 16), head, "SCRFD-500MF")


def _green_stem(net: Network, channels: int) -> Tensor:
    """The first convolution: random but for channel 0, which is 4 where the picture is green."""
    weights = net.random.standard_normal((channels, 3, 3, 3)) / np.sqrt(27)
    weights[0] = 0
    weights[0, :, 1, 1] = np.array((-1, 1, -1)) * GREEN_GAIN
    bias = np.zeros(channels)
    bias[0] = -GREEN_AT * GREEN_GAIN
    return net.conv_of(Tensor("input", 3), weights, bias, stride=2, activation="relu")


def _basic_block(net: Network, source: Tensor, channels: int, stride: int) -> Tensor:
    inner = net.conv(source, channels, 3, stride, activation="relu", leads=False)
    inner = net.conv(inner, channels, 3, leads=False)
    shortcut = net.conv(net.pool(source, "AveragePool"), channels, 1) if stride == 2 else source
    total = net.add(inner, shortcut)
    # The shortcut is positive: the sum loses little to the activation.
    return Tensor(net.activate(total, "relu").name, channels, total.power)


def _separable(net: Network, source: Tensor, channels: int, stride: int = 1) -> Tensor:
    inner = net.conv(source, source.channels, 3, stride, groups=source.channels, activation="relu")
    return net.conv(inner, channels, 1, activation="relu")


def _neck(net: Network, levels: list[Tensor], channels: int) -> list[Tensor]:
    """PAFPN: down the levels by enlarging, up again by strided convolutions. Channel 0 comes from its own level."""
    low, middle, high = (
        net.conv(level, channels, 1, leads=stride == FACE_STRIDE) for level, stride in zip(levels, STRIDES, strict=True)
    )
    middle = net.add(middle, _enlarge(net, high, middle))
    low = net.add(low, _enlarge(net, middle, low))
    low, middle, high = (net.conv(level, channels, 3) for level in (low, middle, high))
    middle = net.add(middle, net.conv(low, channels, 3, 2, leads=False))
    high = net.add(high, net.conv(middle, channels, 3, 2, leads=False))
    return [low, net.conv(middle, channels, 3), net.conv(high, channels, 3)]


def _enlarge(net: Network, source: Tensor, target: Tensor) -> Tensor:
    """`source` at the size of `target`, by its shape, as PyTorch's export writes it for open sizes."""
    first = net.node("Shape", [source.name])
    ends = [net.constant(np.array([edge], np.int64)) for edge in (0, 2)]
    batch = net.node("Slice", [first, *ends, ends[0]])
    size = net.node("Slice", [net.node("Shape", [target.name]), ends[1], net.constant(np.array([4], np.int64))])
    wanted = net.node("Concat", [batch, size], axis=0)
    empty = net.constant(np.empty(0, np.float32))
    name = net.node(
        "Resize",
        [source.name, empty, empty, wanted],
        coordinate_transformation_mode="asymmetric",
        mode="nearest",
        nearest_mode="floor",
    )
    return Tensor(name, source.channels, source.power)


def _finish(net: Network, levels: list[Tensor], head: Callable[[Tensor], Tensor], name: str) -> onnx.ModelProto:
    outputs: dict[str, list[str]] = {"score": [], "box": [], "points": []}
    for level, stride in zip(levels, STRIDES, strict=True):
        features = head(level)
        for kind, width in (("score", 1), ("box", 4), ("points", 10)):
            weights, bias = _prediction(net, features, kind, width, stride)
            found = net.conv_of(features, weights, bias).name
            flat = net.node("Transpose", [found], perm=[0, 2, 3, 1])
            flat = net.node("Reshape", [flat, net.constant(np.array([-1, width], np.int64))])
            outputs[kind].append(net.node("Sigmoid", [flat]) if kind == "score" else flat)
    values = [
        helper.make_tensor_value_info(output, TensorProto.FLOAT, [f"n{stride}", width])
        for kind, width in (("score", 1), ("box", 4), ("points", 10))
        for output, stride in zip(outputs[kind], STRIDES, strict=True)
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])]
    return net.model(inputs, values, name)


def _prediction(net: Network, features: Tensor, kind: str, width: int, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """The last convolution: a face of fixed size around the greenest cell, edges and points unsteady by a little."""
    shape = (ANCHORS * width, features.channels, 3, 3)
    weights = net.random.standard_normal(shape) * 0.05 / np.sqrt(features.channels * 9 * features.power)
    weights[:, 0] = 0
    if kind == "score":
        bias = np.full(ANCHORS, -SCORE_GAIN * SCORE_AT)
        weights[0, 0, 1, 1] = SCORE_GAIN if stride == FACE_STRIDE else 0
    elif kind == "box":
        bias = np.full(ANCHORS * 4, FACE_CELLS / 2)
    else:
        bias = np.tile(((np.array(TEMPLATE) / CROP_PX - 0.5) * FACE_CELLS).ravel(), ANCHORS)
    return weights, bias
