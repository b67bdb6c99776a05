"""Model packs and pictures for the encoders' tests: drawn ones, and real ones where they lie beside the checkout.

The drawn pack is two small ONNX graphs without training. Its detector calls every bright spot on black a face; its
recogniser embeds a crop as a fixed mixture of its tones.
"""

from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from encoders.images.decoding import ImageLimits
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from tests import models

SHARED = Path(__file__).parents[2].parent / "shared"
STRIDES = (8, 16, 32)


@pytest.fixture(scope="session")
def drawn_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models_dir = tmp_path_factory.mktemp("models")
    (models_dir / "drawn").mkdir()
    onnx.save(spot_detector(), str(models_dir / "drawn" / "det.onnx"))
    onnx.save(tone_recogniser(), str(models_dir / "drawn" / "rec.onnx"))
    return models_dir


@pytest.fixture(scope="session", params=["cpu", "openvino"])
def drawn_encoder(request: pytest.FixtureRequest, drawn_models_dir: Path) -> InsightFacePackEncoder:
    return InsightFacePackEncoder(find_pack(drawn_models_dir, "drawn"), provider=request.param)


@pytest.fixture(scope="session")
def opencv_models_dir() -> Path:
    """A models directory with the pack that comes with the installation."""
    return models.opencv_models_dir()


@pytest.fixture(scope="session")
def opencv_encoder(opencv_models_dir: Path) -> InsightFacePackEncoder:
    return InsightFacePackEncoder(find_pack(opencv_models_dir, "opencv"), threads=2)


@pytest.fixture(scope="session")
def real_models_dir() -> Path:
    if not (SHARED / "models" / "mini").is_dir():
        pytest.skip("no real model pack beside the checkout (../shared/models/mini)")
    return SHARED / "models"


@pytest.fixture(scope="session")
def real_encoder(real_models_dir: Path) -> InsightFacePackEncoder:
    limits = ImageLimits(max_bytes=64 * 1024 * 1024, max_pixels=100_000_000)
    return InsightFacePackEncoder(find_pack(real_models_dir, "mini"), threads=2, limits=limits)


@pytest.fixture(scope="session")
def photos() -> Path:
    if not (SHARED / "photos" / "probes" / "truth.csv").is_file():
        pytest.skip("no photos beside the checkout (../shared/photos)")
    return SHARED / "photos"


@pytest.fixture
def scene() -> np.ndarray:
    """Return a picture, BGR (120, 160, 3), whose four corners differ in colour."""
    rows, columns = np.mgrid[0:120, 0:160]
    pixels = np.stack([rows * 2, columns * 1.5, (rows + columns) * 0.9], axis=2).astype(np.uint8)
    cv2.circle(pixels, (30, 30), 18, (40, 200, 250), -1)
    return pixels


def spot_detector() -> onnx.ModelProto:
    """Return a graph with SCRFD's inputs and outputs: scores are the brightness at each anchor, shapes are fixed."""
    nodes = [helper.make_node("ReduceMean", ["input"], ["luma"], axes=[1], keepdims=1)]
    weights = [
        _constant("none", np.zeros(1, np.float32)),
        _constant("column", np.array([-1, 1], np.int64)),
        _constant("box", np.full((1, 4), 3, np.float32)),
        _constant("points", np.array([[-1, -1, 1, -1, 0, 0, -0.8, 1, 0.8, 1]], np.float32)),
    ]
    for stride in STRIDES:
        pool = helper.make_node(
            "AveragePool", ["luma"], [f"p{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2
        )
        nodes += [
            pool,
            helper.make_node("Concat", [f"p{stride}", f"p{stride}"], [f"a{stride}"], axis=1),  # two anchors a cell
            helper.make_node("Transpose", [f"a{stride}"], [f"t{stride}"], perm=[0, 2, 3, 1]),
            helper.make_node("Reshape", [f"t{stride}", "column"], [f"score{stride}"]),
            helper.make_node("Mul", [f"score{stride}", "none"], [f"z{stride}"]),
            helper.make_node("Add", [f"z{stride}", "box"], [f"box{stride}"]),
            helper.make_node("Add", [f"z{stride}", "points"], [f"points{stride}"]),
        ]
    outputs = [
        helper.make_tensor_value_info(f"{kind}{stride}", TensorProto.FLOAT, [f"n{stride}", width])
        for kind, width in (("score", 1), ("box", 4), ("points", 10))
        for stride in STRIDES
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "height", "width"])]
    return _model(helper.make_graph(nodes, "spots", inputs, outputs, weights))


def tone_recogniser(dimension: int = 512) -> onnx.ModelProto:
    """Return a graph with ArcFace's input and output: 8x8 tones of three colours, mixed into `dimension` numbers."""
    mixture = np.random.default_rng(7).standard_normal((192, dimension)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["input"], ["tones"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["tones"], ["flat"]),
        helper.make_node("MatMul", ["flat", "mixture"], ["embedding"]),
    ]
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 112, 112])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", dimension])]
    return _model(helper.make_graph(nodes, "tones", inputs, outputs, [_constant("mixture", mixture)]))


def _constant(name: str, values: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(values, name)


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
