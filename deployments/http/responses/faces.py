"""Faces that were seen in a photo, and what is answered about photos that are not stored."""

from collections.abc import Sequence
from typing import Self

from deployments.decisions.compare import Comparison
from deployments.decisions.photos import SelectedFace
from deployments.http.responses.base import Answer, Points, Shape, Unit, points
from deployments.http.responses.models import ModelSummary
from encoders.types import Analysis, Box, Face, Rotation


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
    """Where a face is in the image as it was sent, its EXIF orientation applied, cut to the image's edges."""

    pixels: PixelBox
    normalized: NormalizedBox

    @classmethod
    def of(cls, box: Box, width: int, height: int) -> Self:
        """Return `box` cut to an image of `width` x `height`, in whole pixels and as fractions of the image."""
        left = max(0, min(width, round(box.left)))
        top = max(0, min(height, round(box.top)))
        right = max(left, min(width, round(box.right)))
        bottom = max(top, min(height, round(box.bottom)))
        return cls.model_validate(
            {
                "pixels": {"x": left, "y": top, "width": right - left, "height": bottom - top},
                "normalized": {
                    "left": round(left / width, 8),
                    "top": round(top / height, 8),
                    "width": round((right - left) / width, 8),
                    "height": round((bottom - top) / height, 8),
                },
            }
        )


class FaceQuality(Shape):
    """How usable a face is; every figure in [0, 1]."""

    score: Unit
    sharpness: Unit
    brightness: Unit
    pose: Unit


class FaceObservation(Shape):
    """A face seen in an image. `rotation`: degrees clockwise by which the image must be turned for it to be upright."""

    bbox: BoundingBox
    landmarks: Points
    detection_score: Unit
    quality: FaceQuality
    rotation: Rotation

    @classmethod
    def of(cls, face: Face, analysis: Analysis) -> Self:
        """Return `face` of `analysis`, without its embedding."""
        return cls.model_validate(
            {
                "bbox": BoundingBox.of(face.box, analysis.width, analysis.height),
                "landmarks": points(face.landmarks.tolist()),
                "detection_score": face.detection_score,
                "quality": face.quality,
                "rotation": analysis.rotation,
            }
        )


class EmbeddedFace(FaceObservation):
    """A face seen in an image, with its L2-normalised embedding of 512 numbers."""

    embedding: list[float]

    @classmethod
    def of_selected(cls, selected: SelectedFace) -> Self:
        """Return the face that was selected in a photo."""
        observed = FaceObservation.of(selected.face, selected.analysis)
        return cls(**dict(observed), embedding=[round(number, 8) for number in selected.embedding.tolist()])


class DetectResponse(Answer):
    faces: list[FaceObservation]
    processing_ms: float

    @classmethod
    def of(cls, analysis: Analysis, processing_ms: float) -> Self:
        """Return every face of a photo."""
        faces = [FaceObservation.of(face, analysis) for face in analysis.faces]
        return cls(faces=faces, processing_ms=processing_ms)


class CompareResponse(Answer):
    matched: bool
    similarity: float
    threshold: float
    source_face: FaceObservation
    target_face: FaceObservation
    processing_ms: float

    @classmethod
    def of(cls, compared: Comparison, processing_ms: float) -> Self:
        """Return how alike two photos are."""
        return cls(
            matched=compared.decision == "match",
            similarity=compared.similarity,
            threshold=compared.threshold,
            source_face=FaceObservation.of(compared.source.face, compared.source.analysis),
            target_face=FaceObservation.of(compared.target.face, compared.target.analysis),
            processing_ms=processing_ms,
        )


class EmbeddingsResponse(Answer):
    faces: list[EmbeddedFace]
    model: ModelSummary
    processing_ms: float

    @classmethod
    def of(cls, selected: Sequence[SelectedFace], processing_ms: float) -> Self:
        """Return the embeddings of faces, at least one, that one model made."""
        faces = [EmbeddedFace.of_selected(face) for face in selected]
        return cls(faces=faces, model=ModelSummary.of(selected[0].model), processing_ms=processing_ms)
