"""Decisions: which similarity is a match, which face may be enrolled. Functions of values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from configs.tuning import IngressTuning
from encoders.types import Analysis, AnalyzeOptions, Face, ModelDescription
from store.types import EMBEDDING_DIMENSION, Candidate, Contract, DetectionProfile, FaceSelection, NewFace

Decision = Literal["match", "uncertain", "no_match"]
ReviewMode = Literal["off", "standard", "strict"]

DEFAULT_SELECTION: FaceSelection = "largest"  # where no collection says which face of a photo counts
SEARCH_PROFILE = "fp32_v1"  # every answer is ranked by the full-precision cosine, whatever index found the candidates
UNIT_NORM_TOLERANCE = 2e-4  # what a float32 vector loses on its way through JSON, and InsightFace Server's bound


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a face is, as far as it can be told. `best` and `runner_up` are there also where nobody is similar enough."""

    decision: Decision
    best: Candidate | None
    runner_up: Candidate | None
    margin: float | None

    @property
    def similarity(self) -> float | None:
        """That of the best candidate, None without any."""
        return None if self.best is None else self.best.similarity


def identify(candidates: Sequence[Candidate], threshold: float, tuning: IngressTuning) -> Identity:
    """Return who the face with these `candidates`, most similar first and one per person, is.

    A best candidate at or above `threshold` is a match unless the runner-up is closer than `minimum_margin`; one
    within `uncertain_band` below the threshold is uncertain.
    """
    best = candidates[0] if candidates else None
    runner_up = candidates[1] if len(candidates) > 1 else None
    margin = best.similarity - runner_up.similarity if best and runner_up else None
    if best is None or best.similarity < threshold - tuning.uncertain_band:
        decision: Decision = "no_match"
    elif best.similarity < threshold or (margin is not None and margin < tuning.minimum_margin):
        decision = "uncertain"
    else:
        decision = "match"
    return Identity(decision, best, runner_up, margin)


def similarity(left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]) -> float:
    """Return the cosine of two L2-normalised embeddings, -1 to 1."""
    return float(np.clip(np.dot(left, right), -1.0, 1.0))


def review(analysis: Analysis, mode: ReviewMode, tuning: IngressTuning) -> str | None:
    """Return why the image may not be enrolled, None if it may.

    Without review the selected face is taken as it is; a reviewed image has exactly one face, large, clear and frontal
    enough.
    """
    if not analysis.faces:
        return "face_not_found"
    if mode == "off":
        return None
    if analysis.faces_found != 1:
        return "multiple_faces"
    face = analysis.faces[0]
    if min(face.box.width, face.box.height) < tuning.min_face_px:
        return "face_too_small"
    if face.detection_score < tuning.min_detection_score:
        return "low_detection_score"
    if max(abs(face.quality.yaw), abs(face.quality.pitch), abs(face.quality.roll)) > tuning.max_pose_degrees:
        return "extreme_pose"
    if face.quality.score < tuning.min_quality:
        return "low_quality"
    return None


def trusted_embedding(value: Any) -> npt.NDArray[np.float32] | None:
    """Return an embedding that a client made itself, as float32 (512,) of unit length; None if it is not one."""
    if not isinstance(value, list) or len(value) != EMBEDDING_DIMENSION:
        return None
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        return None
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            embedding = np.asarray(value, dtype=np.float32)
            norm = float(np.linalg.norm(embedding))
    except (ValueError, OverflowError):
        return None
    if not np.isfinite(norm) or abs(norm - 1.0) > UNIT_NORM_TOLERANCE:
        return None
    return embedding / np.float32(norm)


def single_face_options(
    detection: DetectionProfile | None, *, embed: bool = True, crop: bool = False, counts_faces: bool = False
) -> AnalyzeOptions:
    """Return the options that find the one face of a photo, as `detection` says.

    `counts_faces`: whether it matters how many others there are, which takes the detector's full input.
    """
    if detection is None:
        return AnalyzeOptions(selection=DEFAULT_SELECTION, embed=embed, crop=crop, counts_faces=counts_faces)
    return AnalyzeOptions(
        selection=detection.single_face_selection,
        embed=embed,
        crop=crop,
        counts_faces=counts_faces,
        detection_threshold=detection.threshold,
        nms_threshold=detection.nms_threshold,
        input_sizes=detection.input_sizes,
    )


def all_faces_options(detection: DetectionProfile | None, *, max_faces: int, embed: bool) -> AnalyzeOptions:
    """Return the options that find every face of a photo, as `detection` says."""
    if detection is None:
        return AnalyzeOptions(embed=embed, max_faces=max_faces)
    return AnalyzeOptions(
        embed=embed,
        max_faces=max_faces,
        detection_threshold=detection.threshold,
        nms_threshold=detection.nms_threshold,
        input_sizes=detection.input_sizes,
    )


def new_face(
    analysis: Analysis, face: Face, embedding: npt.NDArray[np.float32], *, external: bool, keeps_crop: bool
) -> NewFace:
    """Return `face` of `analysis` as the store takes it."""
    box, quality = face.box, face.quality
    return NewFace(
        box=(box.left, box.top, box.right, box.bottom),
        image_width=analysis.width,
        image_height=analysis.height,
        landmarks=tuple((float(x), float(y)) for x, y in face.landmarks),
        detection_score=face.detection_score,
        quality={
            "score": quality.score,
            "sharpness": quality.sharpness,
            "brightness": quality.brightness,
            "pose": quality.pose,
            "rotation": analysis.rotation,
        },
        embedding=embedding,
        source="external_trusted" if external else "server",
        crop=face.crop if keeps_crop else None,
    )


def contract_of(model: ModelDescription) -> Contract:
    """Return the embedding contract of the running `model` as the store knows it."""
    contract = model.contract
    return Contract(
        id=contract.id,
        model_id=contract.model_id,
        model_version=contract.model_version,
        model_digest=contract.model_digest,
        dimension=contract.dimension,
        preprocessing_version=contract.preprocessing_version,
    )


def match_threshold(model: ModelDescription, tuning: IngressTuning) -> float:
    """Return the similarity of a match where no collection says it."""
    return model.default_threshold if tuning.match_threshold is None else tuning.match_threshold
