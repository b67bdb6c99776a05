"""The rewritten models against the originals, run by OpenCV's own classes."""

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from PIL import Image

from encoders.opencv_zoo import sources
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack, verify_pack
from encoders.packs.install import import_pack
from encoders.types import AnalyzeOptions
from tests.deployments.pictures import astronaut, encoded, group_photo

OPTIONS = AnalyzeOptions(input_sizes=((640, 640),))


def pixels_of(image: bytes) -> np.ndarray:
    """BGR pixels, padded as the detector sees them: 640 wide and high, at its own scale."""
    photo = Image.open(io.BytesIO(image)).convert("RGB")
    photo.thumbnail((640, 640))
    padded = Image.new("RGB", (640, 640))
    padded.paste(photo)
    return np.asarray(padded)[:, :, ::-1].copy()


def test_the_files_are_the_ones_that_collections_are_bound_to(opencv_models_dir: Path) -> None:
    detector, recogniser = verify_pack(find_pack(opencv_models_dir, "opencv"))  # raises for another digest

    assert detector.file == "det_yunet.onnx"
    assert recogniser.embedding_dimension == 512


def test_both_licences_lie_in_the_pack_with_what_was_changed(opencv_models_dir: Path) -> None:
    pack = opencv_models_dir / "opencv"

    assert "Apache License" in (pack / "LICENSE.sface").read_text()
    assert "Copyright (c) 2020 Shiqi Yu" in (pack / "LICENSE.yunet").read_text()
    assert "changed both files" in (pack / "ORIGIN.txt").read_text()
    assert "does not say which photos" in find_pack(opencv_models_dir, "opencv").licence


def test_under_another_name_the_pack_keeps_its_licences_inputs_and_threshold(
    opencv_models_dir: Path, tmp_path: Path
) -> None:
    original = find_pack(opencv_models_dir, "opencv")

    copy = import_pack(tmp_path, original.directory, "light")

    assert copy == replace(
        original,
        name="light",
        directory=copy.directory,
        detector=copy.directory / original.detector.name,
        recogniser=copy.directory / original.recogniser.name,
    )
    assert {"LICENSE.sface", "LICENSE.yunet", "ORIGIN.txt"} <= {path.name for path in copy.directory.iterdir()}


def test_the_rewritten_detector_finds_what_yunet_finds(opencv_encoder: InsightFacePackEncoder) -> None:
    pixels = pixels_of(group_photo())
    source = sources.installed_directory("opencv") / sources.YUNET.file
    yunet = cv2.FaceDetectorYN.create(str(source), "", (640, 640), score_threshold=0.79, nms_threshold=0.4)
    _, expected = yunet.detect(pixels)  # (n, 15): left, top, width, height, five points, score

    found = opencv_encoder.analyze(encoded(Image.fromarray(pixels[:, :, ::-1]), "PNG"), OPTIONS).faces

    assert len(found) == len(expected) == 6
    by_left = sorted(found, key=lambda face: face.box.left)
    for face, row in zip(by_left, expected[np.argsort(expected[:, 0])], strict=True):
        box = face.box.left, face.box.top, face.box.width, face.box.height
        assert np.allclose(box, row[:4], atol=0.5)
        assert np.allclose(face.landmarks.ravel(), row[4:14], atol=0.5)
        assert face.detection_score == pytest.approx(float(row[14]) ** 3, abs=2e-3)


@pytest.fixture
def sface() -> onnxruntime.InferenceSession:
    """The model as it is published, without the 29 weights that it lists as inputs."""
    model = sources.read(sources.installed_directory("opencv"), sources.SFACE, "opencv")
    del model.graph.input[1:]
    quiet = onnxruntime.SessionOptions()
    quiet.log_severity_level = 3
    return onnxruntime.InferenceSession(model.SerializeToString(), quiet, providers=["CPUExecutionProvider"])


def test_the_rewritten_recogniser_gives_the_numbers_of_sface(
    opencv_encoder: InsightFacePackEncoder, sface: onnxruntime.InferenceSession
) -> None:
    crops = [
        crop for image in (group_photo(), encoded(astronaut())) for crop in opencv_encoder.find(image, OPTIONS).crops
    ]
    colours = np.stack([crop[:, :, ::-1].transpose(2, 0, 1) for crop in crops]).astype(np.float32)
    expected = np.concatenate([sface.run(None, {sface.get_inputs()[0].name: one[None]})[0] for one in colours])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)

    embeddings = np.stack(opencv_encoder.embed(crops))

    assert embeddings.shape == (7, 512)
    assert np.abs(embeddings[:, :128] - expected).max() < 1e-5
    assert not embeddings[:, 128:].any()
