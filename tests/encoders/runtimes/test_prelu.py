"""A PRelu that is split gives the same numbers."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from encoders.runtimes.prelu import split_prelu


@pytest.mark.parametrize("scales_first", [False, True])
@pytest.mark.parametrize("slopes", [(-0.5, 0.0, 0.25, 1.5), (-0.5, 0.0, 0.25, 1.0)])
def test_a_split_prelu_gives_the_same_numbers(slopes: tuple[float, ...], scales_first: bool) -> None:
    model = prelu(slopes)
    x = np.random.default_rng(1).standard_normal((1, 4, 3, 3)).astype(np.float32)

    split_prelu(model, scales_first=scales_first)

    onnx.checker.check_model(model)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = np.where(x > 0, x, np.reshape(slopes, (4, 1, 1)) * x)
    np.testing.assert_allclose(session.run(None, {"x": x})[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("slopes", "expected"),
    [((-0.5, 0.0, 0.25, 1.0), ["Mul", "Mul", "Relu", "Add"]), ((0.5, 0.0, 0.25, 1.5), ["Mul", "Relu", "Mul", "Add"])],
)
def test_a_product_comes_first_only_where_it_keeps_the_sign(slopes: tuple[float, ...], expected: list[str]) -> None:
    model = prelu(slopes)

    split_prelu(model, scales_first=True)

    assert [node.op_type for node in model.graph.node] == expected


def prelu(slopes: tuple[float, ...]) -> onnx.ModelProto:
    """Return a graph of one PRelu over four channels of 3 x 3 numbers."""
    graph = helper.make_graph(
        [helper.make_node("PRelu", ["x", "slope"], ["y"])],
        "prelu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4, 3, 3])],
        [numpy_helper.from_array(np.array(slopes, np.float32).reshape(4, 1, 1), "slope")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
