import cv2
import numpy as np
import pytest

from encoders.recognition.quality import FRONTAL_FACE, angles_of, measure

FRONTAL = np.asarray(FRONTAL_FACE)[:, :2].astype(np.float32)


def drawn_crop() -> np.ndarray:
    """Return a crop, BGR (112, 112, 3), with edges everywhere."""
    blocks = np.random.default_rng(4).integers(60, 200, (28, 28), dtype=np.uint8)
    grey = cv2.resize(blocks, (112, 112), interpolation=cv2.INTER_CUBIC)
    return np.repeat(grey[:, :, None], 3, axis=2)


def head(yaw: float, pitch: float, roll: float) -> np.ndarray:
    """Return the landmarks of a head that is turned, in degrees, seen from afar."""
    model = np.asarray(FRONTAL_FACE) - np.asarray(FRONTAL_FACE).mean(axis=0)
    y, p, r = np.radians([yaw, pitch, roll])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return ((model @ (lean @ nod @ turn).T)[:, :2] * 3 + 500).astype(np.float32)


def test_a_face_that_looks_into_the_camera_has_no_angles() -> None:
    assert np.allclose(angles_of(FRONTAL), (0, 0, 0), atol=0.1)


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"),
    [(30, 0, 0), (-45, 0, 0), (0, 20, 0), (0, -25, 0), (0, 0, 35), (0, 0, -60), (25, 15, 0), (-30, 10, 20)],
)
def test_the_angles_of_a_turned_head_are_found(yaw: float, pitch: float, roll: float) -> None:
    assert angles_of(head(yaw, pitch, roll)) == pytest.approx((yaw, pitch, roll), abs=4)


def test_angles_do_not_depend_on_the_faces_size_and_place() -> None:
    landmarks = head(20, -10, 5)

    assert angles_of(landmarks * 7 + 1000) == pytest.approx(angles_of(landmarks), abs=0.1)


def test_landmarks_on_one_point_have_no_angles() -> None:
    assert angles_of(np.ones((5, 2), np.float32)) == (0, 0, 0)


def test_blur_lowers_sharpness_and_score() -> None:
    crop = drawn_crop()

    sharp, soft, blurred = (measure(image, FRONTAL) for image in (crop, blur(crop, 1), blur(crop, 3)))

    assert sharp.sharpness > soft.sharpness > blurred.sharpness
    assert sharp.score > soft.score > blurred.score
    assert blurred.sharpness < 0.2


def test_brightness_is_the_mean_tone_and_bad_exposure_lowers_the_score() -> None:
    crop = drawn_crop()

    dark, normal, bright = (measure(cv2.convertScaleAbs(crop, alpha=1, beta=b), FRONTAL) for b in (-110, 0, 120))

    assert dark.brightness < 0.2 < normal.brightness < 0.9 < bright.brightness
    assert normal.score > dark.score
    assert normal.score > bright.score


def test_a_face_turned_away_has_a_lower_pose_and_score() -> None:
    crop = drawn_crop()

    frontal, turned = measure(crop, FRONTAL), measure(crop, head(60, 0, 0))

    assert frontal.pose == pytest.approx(1, abs=0.01)
    assert turned.pose == pytest.approx(0.5, abs=0.1)
    assert frontal.score > turned.score


def test_roll_costs_nothing_because_alignment_undoes_it() -> None:
    crop = drawn_crop()

    assert measure(crop, head(0, 0, 40)).score == pytest.approx(measure(crop, FRONTAL).score, abs=0.01)


@pytest.mark.parametrize("tone", [0, 127, 255])
def test_a_crop_of_one_tone_has_values_within_bounds(tone: int) -> None:
    quality = measure(np.full((112, 112, 3), tone, np.uint8), FRONTAL)

    for value in (quality.score, quality.sharpness, quality.brightness, quality.pose):
        assert 0 <= value <= 1


def blur(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(pixels, (0, 0), sigma)
