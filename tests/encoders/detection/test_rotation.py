"""Photos on their side or their head are turned, and told in the photo as it came; upright ones pay nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from encoders.detection.detector import Detections
from encoders.detection.rotation import ROTATIONS, back, is_in_doubt, rotated, rotated_points
from encoders.images.decoding import ImageLimits, decode
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.types import AnalyzeOptions, Rotation, Selection

UPRIGHT = ((30, 40), (70, 40), (50, 60), (35, 80), (65, 80))


def detections(*faces: tuple[float, Rotation]) -> Detections:
    """Return faces of 100 px, each with a score and turned clockwise."""
    upright = np.array(UPRIGHT, np.float32)
    return Detections(
        np.tile(np.array([0, 0, 100, 100], np.float32), (len(faces), 1)),
        np.array([score for score, _ in faces], np.float32),
        np.array([rotated_points(upright, rotation, 100, 100) for _, rotation in faces]).reshape(-1, 5, 2),
    )


def test_a_photo_is_in_doubt_unless_a_face_in_it_is_certain_and_upright() -> None:
    assert not is_in_doubt(detections((0.9, 0)))
    assert not is_in_doubt(detections((0.6, 0), (0.9, 180), (0.9, 0)))
    assert is_in_doubt(detections())
    assert is_in_doubt(detections((0.7, 0)))
    for rotation in ROTATIONS[1:]:
        assert is_in_doubt(detections((0.9, rotation)))


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_points_move_as_the_pixels_do_and_back(rotation: Rotation) -> None:
    pixels = np.zeros((30, 50, 3), np.uint8)
    pixels[7, 41] = 255

    turned = rotated(pixels, rotation)
    moved = rotated_points(np.array([[41, 7]], np.float32), rotation, 50, 30)
    returned = rotated_points(moved, back(rotation), turned.shape[1], turned.shape[0])

    assert np.argwhere(turned[:, :, 0])[:, ::-1].tolist() == moved.tolist()
    assert returned.tolist() == [[41, 7]]


class Counting:
    """A network that counts its runs."""

    def __init__(self, network: Any) -> None:
        self._network = network
        self.runs = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)

    def run(self, pictures: Any) -> Any:
        self.runs += 1
        return self._network.run(pictures)


def counted(encoder: InsightFacePackEncoder, monkeypatch: pytest.MonkeyPatch) -> Counting:
    counting = Counting(encoder._detector._network)
    monkeypatch.setattr(encoder._detector, "_network", counting)
    return counting


def test_an_upright_photo_costs_one_look(
    drawn_encoder: InsightFacePackEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    disc = np.zeros((480, 640, 3), np.uint8)
    cv2.circle(disc, (320, 240), 60, (255, 255, 255), -1)
    counting = counted(drawn_encoder, monkeypatch)

    analysis = drawn_encoder.analyze(bytes(cv2.imencode(".png", disc)[1]), AnalyzeOptions())

    assert analysis.faces
    assert (analysis.rotation, counting.runs) == (0, 1)


def test_a_picture_without_a_face_costs_one_look_for_all_four_ways(
    drawn_encoder: InsightFacePackEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    black = bytes(cv2.imencode(".png", np.zeros((480, 640, 3), np.uint8))[1])
    counting = counted(drawn_encoder, monkeypatch)

    looked = drawn_encoder.analyze(black, AnalyzeOptions())
    with_turns = counting.runs
    drawn_encoder.analyze(black, AnalyzeOptions(turns=False))

    assert (looked.rotation, looked.faces) == (0, ())
    assert with_turns == counting.runs - with_turns + 1


@pytest.fixture(scope="module")
def upright_photos(photos: Path) -> list[np.ndarray]:
    """Return photos of 700 px, the size in which the reports' ones came."""
    files = [*sorted((photos / "gallery").glob("*/*")), *sorted((photos / "probes").glob("*.[jp][pn]g"))]
    pictures = [decode(file.read_bytes(), ImageLimits(max_bytes=2**30, max_pixels=10**8)).pixels for file in files]
    return [cv2.resize(pixels, None, fx=share, fy=share) for pixels in pictures for share in [700 / max(pixels.shape)]]


@pytest.fixture(params=["all", "largest"])
def selection(request: pytest.FixtureRequest) -> Iterator[Selection]:
    yield request.param


@pytest.mark.pack
@pytest.mark.parametrize("rotation", ROTATIONS[1:])
def test_a_turned_photo_gives_the_faces_of_the_upright_one_where_they_are(
    real_encoder: InsightFacePackEncoder, upright_photos: list[np.ndarray], selection: Selection, rotation: Rotation
) -> None:
    options = AnalyzeOptions(selection=selection, crop=True)
    for pixels in upright_photos:
        height, width = pixels.shape[:2]
        expected = real_encoder.analyze(bytes(cv2.imencode(".png", pixels)[1]), options)

        turned = real_encoder.analyze(bytes(cv2.imencode(".png", rotated(pixels, rotation))[1]), options)

        assert turned.rotation == back(rotation)
        assert (turned.width, turned.height) == ((width, height) if rotation == 180 else (height, width))
        assert len(turned.faces) == len(expected.faces)
        for face, upright in zip(turned.faces, expected.faces, strict=True):
            assert face.embedding @ upright.embedding > 0.999
            assert face.crop == upright.crop
            assert face.quality == upright.quality
            moved = rotated_points(upright.landmarks, rotation, width, height)
            assert np.abs(face.landmarks - moved).max() < 0.1
            assert face.box.left < moved[:, 0].mean() < face.box.right
            assert face.box.top < moved[:, 1].mean() < face.box.bottom


@pytest.mark.pack
def test_a_large_turned_photo_is_cut_from_its_pixels_in_full(
    real_encoder: InsightFacePackEncoder, upright_photos: list[np.ndarray]
) -> None:
    canvas = np.full((1400, 1400, 3), 128, np.uint8)
    small = cv2.resize(upright_photos[0], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
    canvas[600 : 600 + small.shape[0], 600 : 600 + small.shape[1]] = small

    def analyzed(pixels: np.ndarray) -> Any:
        return real_encoder.analyze(
            bytes(cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, 95))[1]),
            AnalyzeOptions(input_sizes=((320, 320),)),
        )

    upright, turned = analyzed(canvas), analyzed(rotated(canvas, 180))

    assert turned.rotation == 180
    assert turned.faces[0].embedding @ upright.faces[0].embedding > 0.98


@pytest.mark.pack
def test_upright_photos_are_never_turned(
    real_encoder: InsightFacePackEncoder, upright_photos: list[np.ndarray], selection: Selection
) -> None:
    for pixels in upright_photos:
        for blur_px in (0, 5):
            changed = cv2.GaussianBlur(pixels, (0, 0), blur_px) if blur_px else pixels
            analysis = real_encoder.analyze(
                bytes(cv2.imencode(".png", changed)[1]), AnalyzeOptions(selection=selection, embed=False)
            )

            assert analysis.rotation == 0
