"""The search for one face: the same face as with the whole input, with the same embedding, for less."""

import random
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.types import Analysis, AnalyzeOptions

LARGEST = AnalyzeOptions(selection="largest")
LARGEST_OF_ALL = AnalyzeOptions(selection="largest", counts_faces=True)


def bitmap(pixels: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".bmp", np.ascontiguousarray(pixels))[1])


def fitted(pixels: np.ndarray, longer_px: int) -> np.ndarray:
    scale = longer_px / max(pixels.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8)


def part(pixels: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    return pixels[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]


def versions(pixels: np.ndarray) -> Iterator[np.ndarray]:
    """Yield `pixels` scaled, mirrored, cropped, framed, darkened and blurred."""
    height, width = pixels.shape[:2]
    yield pixels
    yield pixels[:, ::-1]
    yield pixels[7:, 9:]
    yield fitted(pixels, 300)
    yield fitted(pixels, 1800)
    yield part(pixels, 0.1, 0, 0.9, 0.7)
    yield cv2.copyMakeBorder(pixels, height // 2, height // 3, width // 4, width // 2, cv2.BORDER_CONSTANT)
    yield (pixels * 0.35).astype(np.uint8)
    yield cv2.GaussianBlur(pixels, (0, 0), max(height, width) / 400)


def group(pictures: list[np.ndarray], seed: int) -> np.ndarray:
    """Return a picture of several of `pictures`, each at a scale of its own, none over another."""
    draw = random.Random(seed)
    columns, rows = draw.choice([(2, 1), (2, 2), (3, 2)])
    cell_px = 640
    canvas = np.full((rows * cell_px, columns * cell_px, 3), draw.randrange(256), np.uint8)
    for row in range(rows):
        for column in range(columns):
            picture = fitted(draw.choice(pictures), draw.randrange(cell_px // 5, cell_px))
            height, width = picture.shape[:2]
            top = row * cell_px + draw.randrange(cell_px - height)
            left = column * cell_px + draw.randrange(cell_px - width)
            canvas[top : top + height, left : left + width] = picture
    return canvas


def similarity(one: Analysis, other: Analysis) -> float:
    left, right = one.faces[0].embedding, other.faces[0].embedding
    assert left is not None
    assert right is not None
    return float(left @ right)


def is_same_face(one: Analysis, other: Analysis) -> bool:
    """Return whether the boxes are within a tenth of the face of each other."""
    left, right = one.faces[0].box, other.faces[0].box
    tolerance = 0.1 * right.width
    return max(abs(left.left - right.left), abs(left.top - right.top), abs(left.bottom - right.bottom)) < tolerance


@pytest.fixture(scope="module")
def pictures(photos: Path) -> list[np.ndarray]:
    files = [*sorted((photos / "gallery").glob("*/*")), *sorted((photos / "probes").glob("*.[jp][pn]g"))]
    return [np.asarray(cv2.imread(str(file)), np.uint8) for file in files]


@pytest.mark.pack
def test_the_same_face_is_chosen_with_the_same_embedding(
    real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray]
) -> None:
    cheap, similarities = 0, []
    for version in (version for picture in pictures for version in versions(picture)):
        image = bitmap(version)
        analysis = real_encoder.analyze(image, LARGEST)
        if analysis.looked_in_full:
            continue
        whole = real_encoder.analyze(image, LARGEST_OF_ALL)
        cheap += 1
        assert is_same_face(analysis, whole)
        similarities.append(similarity(analysis, whole))

    assert cheap > 0.5 * 9 * len(pictures)
    assert min(similarities) > 0.99
    assert np.mean(similarities) > 0.999


@pytest.mark.pack
def test_the_same_face_is_chosen_from_groups(real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray]) -> None:
    cheap = 0
    for seed in range(60):
        image = bitmap(group(pictures, seed))
        analysis = real_encoder.analyze(image, LARGEST)
        if analysis.looked_in_full:
            continue
        whole = real_encoder.analyze(image, LARGEST_OF_ALL)
        cheap += 1
        assert is_same_face(analysis, whole)
        assert similarity(analysis, whole) > 0.99

    assert cheap > 5


@pytest.mark.pack
def test_a_photo_of_the_face_alone_is_found_as_before(
    real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray]
) -> None:
    for picture in pictures[:4]:
        box = real_encoder.analyze(bitmap(picture), LARGEST).faces[0].box
        close_up = bitmap(picture[max(0, int(box.top)) : int(box.bottom), max(0, int(box.left)) : int(box.right)])

        for sizes in (None, ((640, 640),)):
            analysis = real_encoder.analyze(close_up, AnalyzeOptions(selection="largest", input_sizes=sizes))

            assert analysis.looked_in_full
            assert len(analysis.faces) == 1


@pytest.mark.pack
@pytest.mark.parametrize(
    "options",
    [
        AnalyzeOptions(),
        AnalyzeOptions(selection="center_largest"),
        LARGEST_OF_ALL,
        AnalyzeOptions(selection="largest", input_sizes=((640, 640), (320, 320))),
    ],
)
def test_the_whole_input_is_used_where_more_than_the_largest_face_counts(
    real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray], options: AnalyzeOptions
) -> None:
    assert not real_encoder.analyze(bitmap(pictures[0]), LARGEST).looked_in_full

    assert real_encoder.analyze(bitmap(pictures[0]), options).looked_in_full


@pytest.mark.pack
def test_input_sizes_that_are_the_encoders_own_are_as_cheap(
    real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray]
) -> None:
    analysis = real_encoder.analyze(bitmap(pictures[0]), AnalyzeOptions("largest", input_sizes=((640, 640),)))

    assert not analysis.looked_in_full


@pytest.mark.pack
@pytest.mark.parametrize("size", [(320, 320), (640, 640), (1280, 960)])
@pytest.mark.parametrize("index", [1, 4, 14])
def test_a_view_is_what_the_detector_shows_the_network(
    real_encoder: InsightFacePackEncoder, pictures: list[np.ndarray], size: tuple[int, int], index: int
) -> None:
    detector = real_encoder._detector
    view = detector.view(pictures[index], size)
    assert view is not None

    looked, detected = detector.look(view, 0.5, 0.4), detector.detect(pictures[index], (size,), 0.5, 0.4)

    assert len(looked) == len(detected)
    assert np.abs(looked.boxes - detected.boxes).max(initial=0) < 0.01
    assert np.abs(looked.landmarks - detected.landmarks).max(initial=0) < 0.01


def test_a_picture_without_faces_has_none_in_the_whole_input(drawn_encoder: InsightFacePackEncoder) -> None:
    analysis = drawn_encoder.analyze(bitmap(np.zeros((480, 640, 3), np.uint8)), LARGEST)

    assert analysis.looked_in_full
    assert analysis.faces == ()
