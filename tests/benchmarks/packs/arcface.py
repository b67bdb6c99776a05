"""ArcFace recognisers of InsightFace's architectures, with random weights.

Architectures: insightface, recognition/arcface_torch/backbones/iresnet.py (50 layers) and mobilefacenet.py (`get_mbf`),
exported as in w600k_r50.onnx and w600k_mbf.onnx: batch normalisations folded where they follow a convolution.
"""

import onnx
from onnx import TensorProto, helper

from tests.benchmarks.packs.networks import Network, Tensor

EMBEDDING_SIZE = 512


def iresnet50(seed: int = 3) -> onnx.ModelProto:
    """Improved residual blocks, (3, 4, 14, 3) of them, and a product from 512x7x7."""
    net = Network(seed, leads_channel_0=False)
    features = net.conv(Tensor("input", 3), 64, 3, activation="prelu")
    for blocks, channels in ((3, 64), (4, 128), (14, 256), (3, 512)):
        for block in range(blocks):
            features = _improved_block(net, features, channels, 1 if block else 2)
    features = net.batch_norm(features)
    flat = net.node("Flatten", [features.name], axis=1)
    embedding = Tensor(net.linear(flat, 512 * 7 * 7, EMBEDDING_SIZE), EMBEDDING_SIZE)
    return _finish(net, net.batch_norm(embedding).name, "IResNet-50")


def mobilefacenet(seed: int = 4) -> onnx.ModelProto:
    """Inverted residual blocks, (1, 4, 6, 2) of them at twice the paper's width."""
    net = Network(seed, leads_channel_0=False)
    features = net.conv(Tensor("input", 3), 128, 3, 2, activation="prelu")
    features = net.conv(features, 128, 3, groups=64, activation="prelu")
    for inner, channels, blocks in ((128, 128, 4), (256, 256, 6), (512, 256, 2)):
        features = _depthwise_block(net, features, inner, channels, 2)
        for _ in range(blocks):
            residual = _depthwise_block(net, features, 128 if channels == 128 else 256, channels, 1)
            features = net.add(features, residual)
    features = net.conv(features, 512, 1, activation="prelu")
    features = net.conv(features, 512, 7, padding=0, groups=512)
    flat = net.node("Flatten", [features.name], axis=1)
    embedding = Tensor(net.linear(flat, 512, EMBEDDING_SIZE, has_bias=False), EMBEDDING_SIZE)
    return _finish(net, net.batch_norm(embedding).name, "MobileFaceNet")


def _improved_block(net: Network, source: Tensor, channels: int, stride: int) -> Tensor:
    inner = net.batch_norm(source)
    inner = net.conv(inner, channels, 3, activation="prelu")
    inner = net.conv(inner, channels, 3, stride)
    shortcut = net.conv(source, channels, 1, stride) if stride == 2 else source
    return net.add(inner, shortcut)


def _depthwise_block(net: Network, source: Tensor, inner: int, channels: int, stride: int) -> Tensor:
    features = net.conv(source, inner, 1, activation="prelu")
    features = net.conv(features, inner, 3, stride, groups=inner, activation="prelu")
    return net.conv(features, channels, 1)


def _finish(net: Network, output: str, name: str) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", EMBEDDING_SIZE])]
    return net.model(inputs, outputs, name)
