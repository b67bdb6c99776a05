"""Models on OpenVINO give what they give on ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest

from encoders.errors import PackCorrupt
from encoders.runtimes.networks import OnnxNetwork, Scaling
from encoders.runtimes.openvino_network import KEPT_SIZES, OpenVinoNetwork
from encoders.runtimes.sessions import open_session

SCALING = Scaling(127.5, 128.0)


def pictures(count: int, height: int, width: int) -> list[np.ndarray]:
    return list(np.random.default_rng(count).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (96, 64), (128, 128)])
def test_a_detector_answers_as_on_onnx_runtime_at_every_size(drawn_models_dir: Path, height: int, width: int) -> None:
    model = drawn_models_dir / "drawn" / "det.onnx"
    expected = OnnxNetwork(open_session(model, "drawn", "cpu", 1), SCALING).run(pictures(1, height, width))

    found = OpenVinoNetwork(model, "drawn", SCALING, 1, (1,)).run(pictures(1, height, width))

    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02)  # bfloat16 has 8 bits


@pytest.mark.parametrize("count", [1, 4])
def test_a_recogniser_answers_as_on_onnx_runtime_in_every_batch(drawn_models_dir: Path, count: int) -> None:
    model = drawn_models_dir / "drawn" / "rec.onnx"
    expected = OnnxNetwork(open_session(model, "drawn", "cpu", 1), SCALING).run(pictures(count, 112, 112))[0]

    found = OpenVinoNetwork(model, "drawn", SCALING, 1, (1, 4)).run(pictures(count, 112, 112))[0]

    cosines = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.999


def test_more_sizes_than_have_code_of_their_own_are_answered_as_well(drawn_models_dir: Path) -> None:
    model = drawn_models_dir / "drawn" / "det.onnx"
    crowded, fresh = (OpenVinoNetwork(model, "drawn", SCALING, 1, (1,)) for _ in range(2))
    for step in range(KEPT_SIZES):
        crowded.run(pictures(1, 96, 96 + 32 * step))

    for height, width in ((64, 96), (128, 64)):
        found, expected = (network.run(pictures(1, height, width)) for network in (crowded, fresh))
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=0.02)  # bfloat16 has 8 bits


def test_a_network_knows_what_its_model_takes(drawn_models_dir: Path) -> None:
    detector = OpenVinoNetwork(drawn_models_dir / "drawn" / "det.onnx", "drawn", SCALING, 1, (1,))
    recogniser = OpenVinoNetwork(drawn_models_dir / "drawn" / "rec.onnx", "drawn", SCALING, 1, (1, 4))

    assert (detector.input_size, detector.takes_batches) == (None, False)
    assert (recogniser.input_size, recogniser.takes_batches) == ((112, 112), True)


def test_an_answer_is_not_overwritten_by_the_next(drawn_models_dir: Path) -> None:
    network = OpenVinoNetwork(drawn_models_dir / "drawn" / "rec.onnx", "drawn", SCALING, 1, (1,))
    first = network.run(pictures(1, 112, 112))[0]
    before = first.copy()

    network.run([255 - pictures(1, 112, 112)[0]])

    np.testing.assert_array_equal(first, before)


def test_a_file_that_openvino_cannot_load_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "rec.onnx").write_bytes(b"\x08\x08" * 100)

    with pytest.raises(PackCorrupt, match=r"rec\.onnx") as failure:
        OpenVinoNetwork(tmp_path / "rec.onnx", "drawn", SCALING, 1, (1,))

    assert str(tmp_path) not in str(failure.value)
