"""Faces that were seen in a photo."""

from faceserve_client.models.base import Answer, Points, Shape
from faceserve_client.models.system import ModelSummary


class PixelBox(Shape):
    x: int
    y: int
    width: int
    height: int


class NormalizedBox(Shape):
    left: float
    top: float
    width: float
    height: float


class BoundingBox(Shape):
    """Where a face is, in pixels of the upright image and as fractions of it."""

    pixels: PixelBox
    normalized: NormalizedBox


class FaceQuality(Shape):
    """How usable a face is; every figure in [0, 1]."""

    score: float
    sharpness: float
    brightness: float
    pose: float


class FaceObservation(Shape):
    """A face seen in an image. `rotation`: degrees clockwise by which the image must be turned for it to be upright."""

    bbox: BoundingBox
    landmarks: Points
    detection_score: float
    quality: FaceQuality
    rotation: int


class EmbeddedFace(FaceObservation):
    """A face with its L2-normalised embedding of 512 numbers."""

    embedding: list[float]


class DetectResponse(Answer):
    faces: list[FaceObservation]
    processing_ms: float


class CompareResponse(Answer):
    matched: bool
    similarity: float
    threshold: float
    source_face: FaceObservation
    target_face: FaceObservation
    processing_ms: float


class EmbeddingsResponse(Answer):
    faces: list[EmbeddedFace]
    model: ModelSummary
    processing_ms: float
