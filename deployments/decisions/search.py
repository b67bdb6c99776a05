"""Who is it: one face or every face of a photo in a collection, and one face against a person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments import bounds
from deployments.decisions.calibration.meaning import ScoreMeaning
from deployments.decisions.errors import InvalidEmbedding, TooManyCandidates
from deployments.decisions.photos import SelectedFace, select_face
from deployments.decisions.recognition import Decision, Identity, all_faces_options, identify, trusted_embedding
from deployments.ports import Services
from encoders.types import Analysis, Face
from store.types import Candidate, Collection, NearestFace, Person


@dataclass(frozen=True, eq=False, slots=True)
class Found:
    """Who looks most like a face. `candidates`: most similar first, those below `threshold` too.

    `probe`: the face of the photo that was searched with, None where there was no photo.
    """

    candidates: tuple[Candidate, ...]
    threshold: float
    meaning: ScoreMeaning
    probe: SelectedFace | None = None

    @property
    def matches(self) -> tuple[Candidate, ...]:
        """The candidates at or above the threshold."""
        return tuple(candidate for candidate in self.candidates if candidate.similarity >= self.threshold)

    @property
    def similarity(self) -> float | None:
        """That of the best candidate, None without any."""
        return self.candidates[0].similarity if self.candidates else None

    @property
    def decision(self) -> Decision:
        """Whether anybody is similar enough."""
        return decided(self.similarity, self.threshold)


@dataclass(frozen=True, eq=False, slots=True)
class IdentifiedFace:
    """A face of a photo and who it is. `candidates`: most similar first, as many as were asked for."""

    face: Face
    identity: Identity
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True, eq=False, slots=True)
class Identified:
    """The faces of a photo, largest first, and who they are."""

    analysis: Analysis
    faces: tuple[IdentifiedFace, ...]
    threshold: float
    meaning: ScoreMeaning


@dataclass(frozen=True, eq=False, slots=True)
class Verified:
    """Whether a face is a person's. `nearest`: the person's face most like it, None for a person without faces."""

    probe: SelectedFace
    person: Person
    nearest: NearestFace | None
    threshold: float
    meaning: ScoreMeaning

    @property
    def similarity(self) -> float | None:
        """That of the nearest face, None without any."""
        return None if self.nearest is None else self.nearest.similarity

    @property
    def decision(self) -> Decision:
        """Whether the person is similar enough."""
        return decided(self.similarity, self.threshold)


async def search_by_photo(
    services: Services,
    tenant: str,
    collection: Collection,
    photo: bytes,
    *,
    limit: int,
    threshold: float | None = None,
) -> Found:
    """Return up to `limit` persons who look most like the selected face of `photo`.

    `collection`: may be as of a moment ago; its threshold is read anew, and counts where `threshold` is None.
    Raises NoFaceFound, and what the embedder and `Gallery.search` raise.
    """
    probe = await select_face(services.embedder, photo, collection.detection)
    outcome = await services.gallery.search(
        tenant, collection.id, probe.contract_id, probe.embedding[np.newaxis], limit
    )
    return Found(outcome.candidates[0], _or(threshold, outcome.threshold), ScoreMeaning.of(collection), probe)


async def search_by_embedding(
    services: Services,
    tenant: str,
    collection: Collection,
    embedding: Sequence[float],
    *,
    limit: int,
    threshold: float | None = None,
) -> Found:
    """Return up to `limit` persons who look most like the face with `embedding`, of the collection's contract.

    Raises InvalidEmbedding unless it is 512 numbers of unit length, and what `Gallery.search` raises.
    """
    probe = trusted_embedding(embedding)
    if probe is None:
        raise InvalidEmbedding()
    return await _search(services, tenant, collection, probe, limit, threshold)


async def search_by_face(
    services: Services,
    tenant: str,
    collection: Collection,
    face_id: str,
    *,
    limit: int,
    threshold: float | None = None,
) -> Found:
    """Return up to `limit` persons who look most like an enrolled face, whose own person is one of them.

    Raises FaceNotFound, and what `Gallery.search` raises.
    """
    probe = await services.gallery.face_embedding(tenant, collection.id, face_id, collection.contract.id)
    return await _search(services, tenant, collection, probe, limit, threshold)


async def identify_photo(
    services: Services,
    tenant: str,
    collection: Collection,
    photo: bytes,
    *,
    limit: int,
    max_faces: int,
    threshold: float | None = None,
) -> Identified:
    """Return who each of the up to `max_faces` largest faces of `photo` is, with up to `limit` candidates.

    `collection` and `threshold`: as for `search_by_photo`. Raises TooManyCandidates, and what the embedder and
    `Gallery.search` raise.
    """
    options = all_faces_options(collection.detection, max_faces=max_faces, embed=True)
    result = await services.embedder.analyze(photo, options)
    faces, meaning = result.analysis.faces, ScoreMeaning.of(collection)
    if not faces:
        return Identified(result.analysis, (), _or(threshold, collection.threshold), meaning)
    if len(faces) * limit > bounds.CANDIDATES:
        raise TooManyCandidates(len(faces), limit, bounds.CANDIDATES)
    probes = np.stack([face.embedding for face in faces if face.embedding is not None])  # (faces, 512)
    # one more than asked for: the runner-up decides the margin also when the client wants one candidate
    outcome = await services.gallery.search(tenant, collection.id, result.model.contract.id, probes, max(2, limit))
    threshold = _or(threshold, outcome.threshold)
    tuning = services.tuning_source.tuning
    identified = tuple(
        IdentifiedFace(face, identify(candidates, threshold, tuning), candidates[:limit])
        for face, candidates in zip(faces, outcome.candidates, strict=True)
    )
    return Identified(result.analysis, identified, threshold, meaning)


async def verify_person(
    services: Services,
    tenant: str,
    collection: Collection,
    person_id: str,
    photo: bytes,
    *,
    threshold: float | None = None,
) -> Verified:
    """Return whether the selected face of `photo` is the person's.

    `collection` and `threshold`: as for `search_by_photo`. Raises NoFaceFound, and what the embedder and
    `Gallery.verify` raise.
    """
    probe = await select_face(services.embedder, photo, collection.detection)
    found = await services.gallery.verify(
        tenant, collection.id, person_id, probe.contract_id, probe.embedding[np.newaxis]
    )
    return Verified(probe, found.person, found.nearest[0], _or(threshold, found.threshold), ScoreMeaning.of(collection))


def decided(similarity: float | None, threshold: float) -> Decision:
    """Return whether the best similarity there is, None without any, is a match."""
    return "match" if similarity is not None and similarity >= threshold else "no_match"


async def _search(
    services: Services,
    tenant: str,
    collection: Collection,
    probe: npt.NDArray[np.float32],
    limit: int,
    threshold: float | None,
) -> Found:
    outcome = await services.gallery.search(tenant, collection.id, collection.contract.id, probe[np.newaxis], limit)
    return Found(outcome.candidates[0], _or(threshold, outcome.threshold), ScoreMeaning.of(collection))


def _or(wanted: float | None, default: float) -> float:
    return default if wanted is None else wanted
