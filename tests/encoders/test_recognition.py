"""Real faces, recognised with the pack that comes with the installation, in photos that packages carry."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.catalog import KNOWN_PACKS
from encoders.types import AnalyzeOptions
from tests.deployments.pictures import astronaut, encoded, group_photo

THRESHOLD = KNOWN_PACKS["opencv"].default_threshold
CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "darker": lambda photo: ImageEnhance.Brightness(photo).enhance(0.5),
    "grey": lambda photo: photo.convert("L").convert("RGB"),
    "half as large": lambda photo: photo.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS),
    "leaning": lambda photo: photo.rotate(5, Image.Resampling.BICUBIC, expand=True),
}


@pytest.fixture(scope="module")
def photos() -> tuple[Image.Image, ...]:
    return Image.open(io.BytesIO(group_photo())).convert("RGB"), astronaut()


def embeddings_of(encoder: InsightFacePackEncoder, photo: Image.Image) -> np.ndarray:
    faces = encoder.analyze(encoded(photo, quality=90), AnalyzeOptions()).faces
    return np.stack([face.embedding for face in sorted(faces, key=lambda face: face.box.left)])


@pytest.fixture(scope="module")
def known(opencv_encoder: InsightFacePackEncoder, photos: tuple[Image.Image, ...]) -> np.ndarray:
    """Seven persons, (7, 512)."""
    return np.concatenate([embeddings_of(opencv_encoder, photo) for photo in photos])


def test_no_two_of_seven_persons_are_taken_for_one(known: np.ndarray) -> None:
    others = known @ known.T - 2 * np.eye(7)

    assert known.shape == (7, 512)
    assert others.max() < THRESHOLD


@pytest.mark.parametrize("change", CHANGES)
def test_each_of_seven_persons_is_recognised_in_another_picture(
    opencv_encoder: InsightFacePackEncoder, photos: tuple[Image.Image, ...], known: np.ndarray, change: str
) -> None:
    changed = [embeddings_of(opencv_encoder, CHANGES[change](photo)) for photo in photos]
    if change == "mirrored":
        changed = [embeddings[::-1] for embeddings in changed]

    similarities = np.concatenate(changed) @ known.T

    assert np.array_equal(similarities.argmax(axis=1), np.arange(7))
    assert similarities.diagonal().min() > THRESHOLD


def test_a_close_up_is_recognised_since_the_detector_looks_twice(
    opencv_encoder: InsightFacePackEncoder, photos: tuple[Image.Image, ...], known: np.ndarray
) -> None:
    (face,) = opencv_encoder.analyze(encoded(photos[1]), AnalyzeOptions()).faces
    edges = (face.box.left, face.box.top, face.box.right, face.box.bottom)
    close_up = photos[1].crop(tuple(round(edge) for edge in edges)).resize((800, 1000), Image.Resampling.LANCZOS)

    (found,) = opencv_encoder.analyze(encoded(close_up), AnalyzeOptions()).faces

    assert opencv_encoder.model.detector_inputs == ((640, 640), (224, 224))
    assert float(found.embedding @ known[6]) > 0.7
