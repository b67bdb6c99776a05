"""Who is in a photo."""

from typing import Self

from deployments.decisions import search as decisions
from deployments.decisions.calibration.meaning import ScoreMeaning
from deployments.decisions.recognition import Decision
from deployments.decisions.search import Found, Identified, Verified
from deployments.http.responses.base import Answer, Rate, Score, Shape
from deployments.http.responses.faces import FaceObservation
from deployments.http.responses.persons import Person
from encoders.types import Analysis
from store.types import Candidate


class Match(Shape):
    """A person whose best face is near the one searched for. `similarity` is the cosine, -1 to 1.

    `stranger_rate`: how often a stranger scores as high in this collection; null before a calibration is applied.
    """

    person: Person
    similarity: Score
    matched_face_id: str
    stranger_rate: Rate | None

    @classmethod
    def of(cls, candidate: Candidate, meaning: ScoreMeaning) -> Self:
        """Return a person found."""
        return cls(
            person=Person.of(candidate.person),
            similarity=candidate.similarity,
            matched_face_id=candidate.face_id,
            stranger_rate=meaning.stranger_rate(candidate.similarity),
        )


class IdentifiedFace(Shape):
    """A face of a group photo and who it is.

    `match`: at or above the threshold and clear of the runner-up. `uncertain`: close below the threshold, or too close
    to the runner-up. `no_match`: nobody. `margin` is the best similarity minus the runner-up's.
    """

    face: FaceObservation
    decision: Decision
    person: Person | None
    similarity: Score | None
    candidates: list[Match]
    runner_up: Match | None
    margin: Score | None
    stranger_rate: Rate | None

    @classmethod
    def of(cls, identified: decisions.IdentifiedFace, analysis: Analysis, meaning: ScoreMeaning) -> Self:
        """Return a face of `analysis` and who it is."""
        identity = identified.identity
        candidates = [Match.of(candidate, meaning) for candidate in identified.candidates]
        best = candidates[0] if candidates and identity.decision != "no_match" else None
        return cls(
            face=FaceObservation.of(identified.face, analysis),
            decision=identity.decision,
            person=None if best is None else best.person,
            similarity=None if best is None else best.similarity,
            candidates=candidates,
            runner_up=None if identity.runner_up is None else Match.of(identity.runner_up, meaning),
            margin=identity.margin,
            stranger_rate=meaning.stranger_rate(identity.similarity),
        )


class SearchResponse(Answer):
    """`searched_face` is null when the search was by an embedding or an enrolled face.

    `stranger_rate`: how often a stranger is taken for a member at this threshold; null before a calibration.
    """

    searched_face: FaceObservation | None
    matches: list[Match]
    threshold: Score
    stranger_rate: Rate | None
    processing_ms: float

    @classmethod
    def of(cls, found: Found, processing_ms: float) -> Self:
        """Return who was found at or above the threshold."""
        probe = found.probe
        return cls(
            searched_face=None if probe is None else FaceObservation.of(probe.face, probe.analysis),
            matches=[Match.of(candidate, found.meaning) for candidate in found.matches],
            threshold=found.threshold,
            stranger_rate=found.meaning.stranger_rate(found.threshold),
            processing_ms=processing_ms,
        )


class IdentifyResponse(Answer):
    faces: list[IdentifiedFace]
    threshold: Score
    stranger_rate: Rate | None
    processing_ms: float

    @classmethod
    def of(cls, identified: Identified, processing_ms: float) -> Self:
        """Return who is in a group photo."""
        return cls(
            faces=[IdentifiedFace.of(face, identified.analysis, identified.meaning) for face in identified.faces],
            threshold=identified.threshold,
            stranger_rate=identified.meaning.stranger_rate(identified.threshold),
            processing_ms=processing_ms,
        )


class VerifyResponse(Answer):
    """`stranger_rate`: how often a stranger scores as high against anybody of the collection."""

    verified: bool
    similarity: Score | None
    stranger_rate: Rate | None
    threshold: Score
    person: Person
    matched_face_id: str | None
    face: FaceObservation
    processing_ms: float

    @classmethod
    def of(cls, verified: Verified, processing_ms: float) -> Self:
        """Return whether a face is a person's."""
        return cls(
            verified=verified.decision == "match",
            similarity=verified.similarity,
            stranger_rate=verified.meaning.stranger_rate(verified.similarity),
            threshold=verified.threshold,
            person=Person.of(verified.person),
            matched_face_id=None if verified.nearest is None else verified.nearest.face_id,
            face=FaceObservation.of(verified.probe.face, verified.probe.analysis),
            processing_ms=processing_ms,
        )
