import numpy as np
import pytest
from insightface.utils import face_align

from encoders.recognition.alignment import TEMPLATE, cut, enlargement, similarity_to_template


def turned_template(angle: float, scale: float, shift: tuple[float, float], noise: float, seed: int) -> np.ndarray:
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.asarray(TEMPLATE) @ rotation.T * scale + shift
    return (points + np.random.default_rng(seed).normal(0, noise, (5, 2))).astype(np.float32)


@pytest.mark.filterwarnings("ignore::FutureWarning")  # insightface calls skimage's deprecated estimate()
@pytest.mark.parametrize("seed", range(20))
def test_the_transform_is_the_one_that_insightface_estimates(seed: int) -> None:
    rng = np.random.default_rng(seed)
    landmarks = turned_template(
        rng.uniform(-3, 3), rng.uniform(0.2, 20), (rng.uniform(0, 4000), rng.uniform(0, 4000)), 2.0, seed
    )

    transform = similarity_to_template(landmarks)

    assert transform is not None
    assert np.abs(transform - face_align.estimate_norm(landmarks)).max() < 2e-3  # pixels of 4,000, in float32


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_the_crop_is_the_one_that_insightface_cuts() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (400, 400, 3), dtype=np.uint8)
    landmarks = turned_template(0.3, 2.0, (60, 50), 3.0, 1)

    transform = similarity_to_template(landmarks)

    assert transform is not None
    theirs = face_align.norm_crop(pixels, landmarks)
    assert np.abs(cut(pixels, transform).astype(int) - theirs).mean() < 0.05


def test_landmarks_on_the_template_are_left_where_they_are() -> None:
    transform = similarity_to_template(np.asarray(TEMPLATE, np.float32))

    assert transform is not None
    assert np.allclose(transform, [[1, 0, 0], [0, 1, 0]], atol=1e-5)


def test_a_face_twice_as_large_as_the_template_is_halved() -> None:
    transform = similarity_to_template(np.asarray(TEMPLATE, np.float32) * 2)

    assert transform is not None
    assert enlargement(transform) == pytest.approx(0.5)


@pytest.mark.parametrize("value", [7.0, np.nan, np.inf])
def test_landmarks_on_one_point_have_no_transform(value: float) -> None:
    assert similarity_to_template(np.full((5, 2), value, np.float32)) is None
