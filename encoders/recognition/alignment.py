"""Lays a face onto the ArcFace template: the transform from five landmarks, and the crop it cuts."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

CROP_PX = 112

# Where ArcFace's training put the landmarks in a 112x112 crop; insightface.utils.face_align.arcface_dst.
TEMPLATE = (
    (38.2946, 51.6963),  # left eye, as the viewer sees it
    (73.5318, 51.5014),  # right eye
    (56.0252, 71.7366),  # nose
    (41.5493, 92.3655),  # left mouth corner
    (70.7299, 92.2041),  # right mouth corner
)


def similarity_to_template(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32] | None:
    """Return the similarity transform that lays `landmarks` onto the template with the least squared error.

    `landmarks`: float32 (5, 2), pixels. Result: float32 (2, 3), for `cv2.warpAffine`; None when the landmarks fall on
    one point or are not finite. Umeyama 1991 for two dimensions in closed form: 13 us against 88 us for insightface's
    `estimate_norm`. A face is never mirrored, so the reflection that Umeyama must rule out needs no case of its own.
    """
    source = np.asarray(landmarks, np.float64)
    if not np.isfinite(source).all():
        return None
    target = np.asarray(TEMPLATE)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    x, y = (source - source_mean).T  # (5,), (5,)
    u, v = (target - target_mean).T
    variance = float(x @ x + y @ y)
    if variance < 1e-6:
        return None
    cosine = float(x @ u + y @ v) / variance  # both times the scale
    sine = float(x @ v - y @ u) / variance
    rotation = np.array([[cosine, -sine], [sine, cosine]])
    shift = target_mean - rotation @ source_mean
    return np.column_stack([rotation, shift]).astype(np.float32)


def enlargement(transform: npt.NDArray[np.float32]) -> float:
    """Return how many pixels of the crop one pixel of the picture becomes; above 1, the crop is blurred."""
    return float(np.hypot(transform[0, 0], transform[1, 0]))


def cut(pixels: npt.NDArray[np.uint8], transform: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Return the aligned face, uint8 (112, 112, 3); black where it reaches past the picture's edges."""
    crop: Any = cv2.warpAffine(pixels, transform, (CROP_PX, CROP_PX), borderValue=0.0)
    return np.asarray(crop, np.uint8)
