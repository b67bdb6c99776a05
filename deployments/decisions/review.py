"""From the photos of an enrolment to the faces that may be stored."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.tuning import IngressTuning
from deployments.decisions.errors import (
    EmbeddingContractMismatch,
    ExternalEmbeddingCountMismatch,
    MissingEmbeddingContract,
    MissingExternalEmbeddings,
    RegistrationFailed,
    UnexpectedExternalEmbedding,
)
from deployments.decisions.look_alikes import find_look_alikes
from deployments.decisions.photos import Photo
from deployments.decisions.recognition import (
    ReviewMode,
    new_face,
    review,
    single_face_options,
    trusted_embedding,
)
from deployments.decisions.side_by_side import side_by_side
from deployments.ports import EmbedderPort, EmbedderResult, Services
from encoders.errors import ImageError
from store.types import Collection, EmbeddingSource, NewFace

# One enrolment must not fill the queue of an embedder, 16, by itself: it would be refused, and others with it.
IMAGES_AT_ONCE = 8


@dataclass(frozen=True, eq=False, slots=True)
class EnrollmentOptions:
    """How photos become faces. `external_embeddings`: what a client gave as such, one for each photo, not yet checked.

    `embedding_contract_id`: the contract that the client's embeddings follow.
    """

    review_mode: ReviewMode = "off"
    embedding_mode: EmbeddingSource = "server"
    external_embeddings: Sequence[Any] | None = None
    embedding_contract_id: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """A photo that an enrolment did not take. `reason`: a stable code. `facts`: what led to it, by name."""

    index: int
    filename: str
    reason: str
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the rejection as a JSON object, the facts beside the rest."""
        return {"index": self.index, "filename": self.filename, "reason": self.reason, **self.facts}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the rejection that `as_json` made `value` of."""
        facts = {name: fact for name, fact in value.items() if name not in ("index", "filename", "reason")}
        return cls(value["index"], value["filename"], value["reason"], facts)


@dataclass(frozen=True, eq=False, slots=True)
class Reviewed:
    """What an enrolment takes, and what it does not. `contract_id`: the contract of every embedding in `faces`."""

    faces: tuple[NewFace, ...]
    rejected: tuple[Rejection, ...]
    contract_id: str


async def review_photos(
    services: Services,
    tenant: str,
    collection: Collection,
    person_id: str | None,
    photos: Sequence[Photo],
    options: EnrollmentOptions,
) -> Reviewed:
    """Return the faces that `photos` add to `person_id` (None: a new person) of `collection`.

    Photos that cannot be used are in `rejected`. Raises RegistrationFailed when none is left for a new person,
    what `external_vectors` raises, Overloaded and Unavailable.
    """
    external = external_vectors(options, len(photos), collection)
    results = await analyze_photos(
        services.embedder,
        photos,
        collection,
        embeds=external is None,
        counts_faces=options.review_mode != "off",
    )
    accepted: list[tuple[int, NewFace]] = []
    rejected: list[Rejection] = []
    contract_id = collection.contract.id
    for index, (photo, result) in enumerate(zip(photos, results, strict=True)):
        vector = None if external is None else trusted_embedding(external[index])
        outcome = judge(
            result, options.review_mode, services.tuning_source.tuning, collection, vector, external is not None
        )
        if isinstance(outcome, str):
            rejected.append(Rejection(index, photo.filename, outcome))
            continue
        accepted.append((index, replace(outcome, source_sha256=await photo.sha256())))
        # one replica on another model is enough for the store to refuse them all
        if (
            external is None
            and isinstance(result, EmbedderResult)
            and result.model.contract.id != collection.contract.id
        ):
            contract_id = result.model.contract.id
    if options.review_mode == "strict":
        conflicts = await find_look_alikes(
            services.gallery, tenant, collection, person_id, contract_id, [face.embedding for _, face in accepted]
        )
        judged = list(zip(accepted, conflicts, strict=True))
        accepted = [face for face, conflict in judged if conflict is None]
        rejected += [
            Rejection(index, photos[index].filename, "identity_similarity_conflict", conflict)
            for (index, _), conflict in judged
            if conflict is not None
        ]
    rejected.sort(key=lambda rejection: rejection.index)
    if not accepted and person_id is None:  # a person has a face; one who is there may get none more
        raise RegistrationFailed([rejection.as_json() for rejection in rejected])
    return Reviewed(tuple(face for _, face in accepted), tuple(rejected), contract_id)


async def analyze_photos(
    embedder: EmbedderPort, photos: Sequence[Photo], collection: Collection, *, embeds: bool, counts_faces: bool
) -> list[EmbedderResult | ImageError]:
    """Return for each photo what the embedder found in it, or why it cannot be used, in the order of `photos`.

    Raises what the embedder raises: Overloaded, Unavailable.
    """
    turns = asyncio.Semaphore(IMAGES_AT_ONCE)
    options = single_face_options(
        collection.detection, embed=embeds, crop=collection.save_face_crops, counts_faces=counts_faces
    )

    async def analyze(photo: Photo) -> EmbedderResult | ImageError:
        async with turns:
            try:
                return await embedder.analyze(photo.content, options)
            except ImageError as error:
                return error

    return await side_by_side(*map(analyze, photos))


def judge(
    result: EmbedderResult | ImageError,
    mode: ReviewMode,
    tuning: IngressTuning,
    collection: Collection,
    vector: npt.NDArray[np.float32] | None,
    is_external: bool,
) -> NewFace | str:
    """Return the face to enrol from one image, or the reason why there is none."""
    if isinstance(result, ImageError):
        return result.code
    reason = review(result.analysis, mode, tuning)
    if reason is not None:
        return reason
    face = result.analysis.faces[0]
    embedding = vector if is_external else face.embedding
    if embedding is None:
        return "invalid_external_embedding" if is_external else "invalid_embedding"
    return new_face(result.analysis, face, embedding, external=is_external, keeps_crop=collection.save_face_crops)


def external_vectors(options: EnrollmentOptions, image_count: int, collection: Collection) -> Sequence[Any] | None:
    """Return one embedding for each image as the client sent it, None when the service makes them.

    Raises UnexpectedExternalEmbedding, MissingExternalEmbeddings, MissingEmbeddingContract,
    ExternalEmbeddingCountMismatch or EmbeddingContractMismatch.
    """
    vectors, contract_id = options.external_embeddings, options.embedding_contract_id
    if options.embedding_mode == "server":
        if vectors is not None or contract_id is not None:
            raise UnexpectedExternalEmbedding()
        return None
    if vectors is None:
        raise MissingExternalEmbeddings()
    if not contract_id:
        raise MissingEmbeddingContract()
    if len(vectors) != image_count:
        raise ExternalEmbeddingCountMismatch(image_count, len(vectors))
    if contract_id != collection.contract.id:
        raise EmbeddingContractMismatch(collection.contract.id, contract_id)
    return vectors
