"""Who is in a photo."""

from typing import Literal

from faceserve_client.models.base import Answer, Shape
from faceserve_client.models.faces import FaceObservation
from faceserve_client.models.persons import Person


class Match(Shape):
    """A person whose best face is near the one searched for. `similarity` is the cosine, -1 to 1."""

    person: Person
    similarity: float
    matched_face_id: str
    stranger_rate: float | None


class IdentifiedFace(Shape):
    """A face of a group photo and who it is."""

    face: FaceObservation
    decision: Literal["match", "uncertain", "no_match"]
    person: Person | None
    similarity: float | None
    candidates: list[Match]
    runner_up: Match | None
    margin: float | None
    stranger_rate: float | None


class SearchResponse(Answer):
    """`searched_face` is None when the search was by an embedding or an enrolled face."""

    searched_face: FaceObservation | None
    matches: list[Match]
    threshold: float
    stranger_rate: float | None
    processing_ms: float


class IdentifyResponse(Answer):
    faces: list[IdentifiedFace]
    threshold: float
    stranger_rate: float | None
    processing_ms: float


class VerifyResponse(Answer):
    verified: bool
    similarity: float | None
    threshold: float
    stranger_rate: float | None
    person: Person
    matched_face_id: str | None
    face: FaceObservation
    processing_ms: float
