"""The encoder that needs no download: a boosted cascade finds frontal faces, a texture descriptor tells them apart.

It finds most frontal faces and recognises the same photo again, and people weakly. For first contact and tests.
"""

import hashlib
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from encoders.classical.cascade import FrontalFaceCascade
from encoders.classical.features import DIMENSION, FaceDescriptor
from encoders.detection.detector import Detections
from encoders.detection.selection import select
from encoders.errors import EncoderBroken
from encoders.images.decoding import ImageLimits, decode, encode_jpeg
from encoders.recognition.alignment import CROP_PX, cut, enlargement, similarity_to_template
from encoders.recognition.quality import FRONTAL_FACE, measure
from encoders.types import Analysis, AnalyzeOptions, Box, EmbeddingContract, Face, ModelComponent, ModelDescription

PACK = "classical"
VERSION = "1"
PREPROCESSING_VERSION = "classical-lbp-v1"
LICENCE = "BSD-3-Clause (scikit-image)"
DEFAULT_THRESHOLD = 0.75

# Where the eyes lie in the cascade's square box, as fractions of its side: means over the 21 faces above.
EYES_X, EYES_Y, EYE_DISTANCE = 0.492, 0.395, 0.359

# Shifts in eye distances, right and down, and growths: crops at these are averaged into the descriptor.
ALIGNMENT_ERRORS = ((0, 0, 1), (-0.08, 0, 1), (0.08, 0, 1), (0, -0.08, 1), (0, 0.08, 1), (0, 0, 0.93), (0, 0, 1.07))

DECODED_PX = 1280  # longer side of a reduced picture; a face over a tenth of it is not enlarged


class ClassicalEncoder:
    """Finds and describes frontal faces without a model pack. Needs scikit-image's data, which its wheel carries.

    The cascade gives no score and takes none: every face has a detection score of 1, and the options' thresholds and
    input sizes have no effect. Landmarks are those of an upright frontal face that fills the box.
    """

    def __init__(self, limits: ImageLimits | None = None) -> None:
        from skimage import data

        cv2.setNumThreads(1)  # OpenCV's pool has one thread per core of the host, whatever this process may use
        locate: Any = data.lbp_frontal_face_cascade_filename
        cascade_file = Path(locate())
        self._cascade = FrontalFaceCascade(cascade_file)
        self._descriptor = FaceDescriptor()
        self._limits = limits or ImageLimits()
        self._model = _describe_model(cascade_file)
        self._answer_at_start = self._descriptor.describe([_test_crop()])

    @property
    def model(self) -> ModelDescription:
        return self._model

    @property
    def stages(self) -> None:
        return None  # a face costs the same alone

    def analyze(self, image: bytes, options: AnalyzeOptions) -> Analysis:
        """Return the frontal faces in `image`. Raises ImageError for a picture that cannot be used."""
        started = time.perf_counter()
        decoded = decode(image, self._limits, enough_px=DECODED_PX)
        decoded_at = time.perf_counter()
        found = self._find(decoded.pixels)
        detected_at = time.perf_counter()
        height, width = decoded.pixels.shape[:2]
        chosen = select(found, options, width, height)
        faces = tuple(
            self._describe(decoded.pixels, decoded.reduction, chosen, index, options) for index in range(len(chosen))
        )
        return Analysis(
            width=decoded.width,
            height=decoded.height,
            faces=faces,
            faces_found=len(found),
            decode_ms=(decoded_at - started) * 1e3,
            detect_ms=(detected_at - decoded_at) * 1e3,
            embed_ms=(time.perf_counter() - detected_at) * 1e3,
        )

    def check(self) -> None:
        """Raise EncoderBroken when the descriptor no longer gives what it gave at start."""
        if not np.allclose(self._descriptor.describe([_test_crop()]), self._answer_at_start, atol=1e-4):
            raise EncoderBroken

    def _find(self, pixels: npt.NDArray[np.uint8]) -> Detections:
        found = self._cascade.find(pixels)  # (n, 3)
        boxes = np.column_stack([found[:, :2], found[:, :2] + found[:, 2:]]).astype(np.float32)
        landmarks = np.array([_landmarks_in(box) for box in found], np.float32).reshape(-1, 5, 2)
        return Detections(boxes, np.ones(len(boxes), np.float32), landmarks)

    def _describe(
        self, pixels: npt.NDArray[np.uint8], reduction: int, chosen: Detections, index: int, options: AnalyzeOptions
    ) -> Face:
        crops = _cut_smoothly(pixels, chosen.landmarks[index])
        landmarks = chosen.landmarks[index] * reduction
        return Face(
            box=Box(*(float(edge) for edge in chosen.boxes[index] * reduction)),
            landmarks=landmarks,
            detection_score=1.0,
            quality=measure(crops[0], landmarks),
            embedding=self._descriptor.describe(crops) if options.embed else None,
            crop=encode_jpeg(crops[0]) if options.crop else None,
        )


def _landmarks_in(box: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return a frontal face's landmarks, (5, 2), laid into the cascade's `box` (left, top, side) by its eyes."""
    left, top, side = box
    frontal = np.asarray(FRONTAL_FACE)[:, :2]
    scale = EYE_DISTANCE * side / (frontal[1, 0] - frontal[0, 0])
    eyes = np.array([left + EYES_X * side, top + EYES_Y * side])
    return np.asarray(eyes + scale * (frontal - frontal[:2].mean(axis=0)))


def _cut_smoothly(pixels: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.float32]) -> list[npt.NDArray[np.uint8]]:
    """Return the face aligned as the landmarks say and, after it, with the small errors that a box is off by.

    A large face is averaged down to the crop's scale first: sampled at 112 px it would show its pixels' noise, and
    texture is what the descriptor sees.
    """
    transform = similarity_to_template(landmarks)
    if transform is None:
        raise EncoderBroken  # landmarks made from a box never fall on one point
    scale = min(1.0, enlargement(transform))
    margin = CROP_PX / scale  # what the crop can reach beyond the landmarks
    left, top = np.floor(landmarks.min(axis=0) - margin).astype(int).clip(0)
    right, bottom = np.ceil(landmarks.max(axis=0) + margin).astype(int)
    part = pixels[top:bottom, left:right]
    size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
    shrunk = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
    points = (landmarks - (left, top)) * (size[0] / part.shape[1], size[1] / part.shape[0])
    eye_distance = np.linalg.norm(points[1] - points[0])
    centre = points.mean(axis=0)
    crops = []
    for right_shift, down_shift, growth in ALIGNMENT_ERRORS:
        moved = (points - centre) * growth + centre + np.array([right_shift, down_shift]) * eye_distance
        transform = similarity_to_template(moved.astype(np.float32))
        if transform is not None:
            crops.append(cut(shrunk, transform))
    return crops


def _describe_model(cascade_file: Path) -> ModelDescription:
    cascade_sha256 = hashlib.sha256(cascade_file.read_bytes()).hexdigest()
    # The descriptor has no file: what defines it is this module's version.
    descriptor_sha256 = hashlib.sha256(
        f"{PACK} {VERSION} {PREPROCESSING_VERSION} {cascade_sha256}".encode()
    ).hexdigest()
    return ModelDescription(
        pack=PACK,
        version=VERSION,
        provider="cpu",
        contract=EmbeddingContract(PACK, VERSION, descriptor_sha256, DIMENSION, PREPROCESSING_VERSION),
        components=(
            ModelComponent("detection", cascade_file.name, cascade_sha256, None, None),
            ModelComponent("recognition", "local binary patterns", descriptor_sha256, (112, 112), DIMENSION),
        ),
        licence=LICENCE,
        commercial_use=True,
        default_threshold=DEFAULT_THRESHOLD,
    )


def _test_crop() -> npt.NDArray[np.uint8]:
    rows, columns = np.mgrid[0:112, 0:112]
    luma = (rows * 7 + columns * columns // 5) % 256
    return np.repeat(luma[:, :, None], 3, axis=2).astype(np.uint8)
