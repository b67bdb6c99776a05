"""SCRFD's outputs, read as InsightFace's own class reads them."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from insightface.model_zoo.scrfd import SCRFD

from encoders.detection.scrfd import STRIDES, read_candidates, without_overlaps
from encoders.runtimes.networks import OnnxNetwork, Scaling
from encoders.runtimes.sessions import open_session

WIDTH, HEIGHT = 256, 128


class Answering:
    """A session that gives the same outputs whatever it is asked."""

    def __init__(self, outputs: list[np.ndarray]) -> None:
        self._outputs = outputs

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"name": "input", "shape": [1, 3, "height", "width"]})]

    def get_outputs(self) -> list[Any]:
        return [type("Output", (), {"name": str(i), "shape": list(o.shape)}) for i, o in enumerate(self._outputs)]

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
        return self._outputs


def drawn_outputs(strides: tuple[int, ...], anchors: int, batched: bool) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    outputs = [
        random.uniform(0, 1 if width == 1 else 4, (HEIGHT // stride * (WIDTH // stride) * anchors, width))
        for width in (1, 4, 10)
        for stride in strides
    ]
    return [output.astype(np.float32)[None] if batched else output.astype(np.float32) for output in outputs]


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(("strides", "anchors"), [((8, 16, 32), 2), ((8, 16, 32, 64, 128), 1)])
def test_candidates_are_those_of_insightface(strides: tuple[int, ...], anchors: int, batched: bool) -> None:
    outputs = drawn_outputs(strides, anchors, batched)
    theirs = SCRFD(session=Answering(outputs), static_shape_sessions=False)
    scores, boxes, landmarks = theirs.forward(np.zeros((HEIGHT, WIDTH, 3), np.uint8), 0.7)

    found = read_candidates(outputs, WIDTH, 0.7)

    assert len(found[0]) > 20
    for ours, expected in zip(found, (boxes, scores, landmarks), strict=True):
        np.testing.assert_allclose(ours, np.concatenate(expected).reshape(ours.shape), rtol=1e-6)


def test_of_faces_that_overlap_those_stay_that_insightface_keeps() -> None:
    random = np.random.default_rng(5)
    corners = random.uniform(0, 100, (200, 2))
    boxes = np.hstack((corners, corners + random.uniform(10, 60, (200, 2)))).astype(np.float32)
    scores = random.uniform(0.5, 1, 200).astype(np.float32)
    theirs = SCRFD(session=Answering(drawn_outputs((8, 16, 32), 2, False)), static_shape_sessions=False)
    theirs.nms_thresh = 0.4

    assert without_overlaps(boxes, scores, 0.4).tolist() == theirs.nms(np.column_stack((boxes, scores)))


def test_no_boxes_stay_of_none() -> None:
    assert len(without_overlaps(np.empty((0, 4), np.float32), np.empty(0, np.float32), 0.4)) == 0


def test_a_network_is_shown_the_numbers_that_opencv_makes_of_a_picture(drawn_models_dir: Path) -> None:
    shown = []

    class Noting(Answering):
        def run(self, names: Any, feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            shown.extend(feed.values())
            return []

    pictures = list(np.random.default_rng(1).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8))

    OnnxNetwork(Noting([]), Scaling(127.5, 128.0)).run(pictures)

    expected = cv2.dnn.blobFromImages(pictures, 1 / 128, (WIDTH, HEIGHT), (127.5,) * 3, swapRB=True)
    np.testing.assert_allclose(shown[0], expected, atol=1e-6)


def test_a_network_knows_what_its_session_takes(drawn_models_dir: Path) -> None:
    detector, recogniser = (
        OnnxNetwork(open_session(drawn_models_dir / "drawn" / file, "drawn", "cpu", 1), Scaling(127.5, 127.5))
        for file in ("det.onnx", "rec.onnx")
    )

    assert (detector.input_size, detector.takes_batches) == (None, False)
    assert (recogniser.input_size, recogniser.takes_batches) == ((112, 112), True)


def test_a_coarse_map_takes_in_the_edge_of_the_input() -> None:
    strides, width, height = STRIDES[15], 544, 416
    cells = [-(-width // stride) * -(-height // stride) for stride in strides]
    outputs = [np.zeros((count, size), np.float32) for size in (1, 4, 10) for count in cells]
    columns = -(-width // 128)
    outputs[4][2 * columns + 3] = 0.9  # third row, fourth column

    boxes, _, _ = read_candidates(outputs, width, 0.5)

    np.testing.assert_array_equal(boxes, [[3 * 128, 2 * 128, 3 * 128, 2 * 128]])
