"""How usable a face is: sharpness, brightness and pose of one aligned crop and its landmarks, and one score of them."""

import math
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from encoders.types import Quality

# The part of the 112x112 crop that shows skin in a frontal face, rows and columns: below the hair, inside the cheeks.
FACE_ROWS = slice(28, 104)
FACE_COLUMNS = slice(24, 88)

# Sharpness is v / (v + this), v the variance of the crop's Laplacian. The median v of 27 faces in photos is 970, 150
# blurred by 1 px of the crop and 33 by 2 px: sharpness 0.87, 0.5 and 0.18.
SHARPNESS_HALF = 150.0

# Mean luma (0 to 1) below and above which a face counts as under- and overexposed; in between exposure is perfect.
DARK, BRIGHT = 0.25, 0.80

# A face that looks straight into the camera, in pixels of the crop: right, down, and towards the camera. Right and down
# are SCRFD's landmarks of 27 photographed faces laid onto the template, averaged and made symmetric: against ArcFace's
# own template its nose is lower and its mouth higher, which would read as a head bowed by 13 degrees. Depths are those
# of an average adult, whose eyes are 63 mm apart: nose tip 30 mm, mouth corners 8 mm before the eyes.
FRONTAL_FACE = (
    (38.25, 52.6, 0.0),
    (73.75, 52.6, 0.0),
    (56.0, 73.7, 17.0),
    (40.3, 90.3, 4.5),
    (71.7, 90.3, 4.5),
)


def measure(crop: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32]) -> Quality:
    """Return the quality of the face in `crop`, aligned BGR 112x112; `landmarks` in pixels of the picture.

    The crop has one size for every face, so sharpness tells blur from detail whatever the picture's resolution; a face
    that had to be enlarged to 112 px counts as blurred, which it is. `score` is the geometric mean of sharpness,
    exposure (1 from DARK to BRIGHT, falling to 0 at black and white) and pose, so that one bad trait shows.
    """
    luma: Any = cv2.cvtColor(crop[FACE_ROWS, FACE_COLUMNS], cv2.COLOR_BGR2GRAY)
    sharpness = sharpness_of(luma)
    brightness = cv2.mean(luma)[0] / 255
    exposure = min(1.0, brightness / DARK, (1 - brightness) / (1 - BRIGHT))
    yaw, pitch, roll = angles_of(landmarks)
    pose = max(0.0, math.cos(math.radians(yaw))) * max(0.0, math.cos(math.radians(pitch)))
    score = (sharpness * max(0.0, exposure) * pose) ** (1 / 3)
    return Quality(score, sharpness, brightness, pose, yaw, pitch, roll)


def sharpness_of(luma: npt.NDArray[np.uint8]) -> float:
    """Return the sharpness of a grey face of the crop's scale, in [0, 1)."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_32F))
    variance = float(deviation[0, 0]) ** 2
    return variance / (variance + SHARPNESS_HALF)


def angles_of(landmarks: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    """Return yaw, pitch and roll in degrees of the head whose `landmarks`, float32 (5, 2), are given.

    Yaw is positive when the face turns to the picture's right, pitch when it looks up, roll when the head leans
    clockwise; a face that looks into the camera has (0, 0, 0). From five points, good to some 15 degrees. The
    least-squares scaled orthographic camera over a rigid model of the five points (POS: DeMenthon and Davis 1995).
    """
    points = np.asarray(landmarks, np.float64)
    right, down = (_camera_solver() @ (points - points.mean(axis=0))).T.tolist()  # the picture's axes in the head's
    # The nearest two axes at right angles and of length 1: the inverse square root of their inner products, times them.
    rr, rd, dd = _dot(right, right), _dot(right, down), _dot(down, down)
    area = math.sqrt(max(0.0, rr * dd - rd * rd))
    if area < 1e-9:
        return 0.0, 0.0, 0.0
    norm = 1 / (area * math.sqrt(rr + dd + 2 * area))
    across = [norm * ((dd + area) * x - rd * y) for x, y in zip(right, down, strict=True)]
    along = [norm * ((rr + area) * y - rd * x) for x, y in zip(right, down, strict=True)]
    towards_x = across[1] * along[2] - across[2] * along[1]
    towards_y = across[2] * along[0] - across[0] * along[2]
    towards_z = across[0] * along[1] - across[1] * along[0]
    yaw = math.atan2(-towards_x, towards_z)
    pitch = math.asin(max(-1.0, min(1.0, towards_y)))
    roll = math.atan2(-across[1], along[1])
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


@cache
def _camera_solver() -> npt.NDArray[np.float64]:
    """Return the (3, 5) matrix that gives the least-squares camera of centred landmarks."""
    model = np.asarray(FRONTAL_FACE)
    return np.asarray(np.linalg.pinv(model - model.mean(axis=0)))


def _dot(one: list[float], other: list[float]) -> float:
    return one[0] * other[0] + one[1] * other[1] + one[2] * other[2]
