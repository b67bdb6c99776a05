"""From the photos of an enrolment to the faces that may be stored. Knows nothing of HTTP."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
from deployments.decisions.recognition import (
    ReviewMode,
    new_face,
    review,
    similarity,
    single_face_options,
    trusted_embedding,
)
from deployments.decisions.side_by_side import side_by_side
from deployments.ports import EmbedderPort, Seen, Services
from encoders.errors import ImageError
from store.types import Collection, EmbeddingSource, NewFace

# One enrolment must not fill the queue of an embedder, 16, by itself: it would be refused, and others with it.
IMAGES_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Photo:
    """A compressed picture, and what its sender calls it."""

    filename: str
    content: bytes


@dataclass(frozen=True, eq=False, slots=True)
class EnrollmentOptions:
    """How photos become faces. `external_embeddings`: what a client gave as such, one for each photo, not yet checked.

    `embedding_contract_id`: the contract that the client's embeddings follow.
    """

    review_mode: ReviewMode = "off"
    embedding_mode: EmbeddingSource = "server"
    external_embeddings: Sequence[Any] | None = None
    embedding_contract_id: str | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Reviewed:
    """What an enrolment takes, and what it does not. `contract_id`: the contract of every embedding in `faces`."""

    faces: tuple[NewFace, ...]
    rejected: tuple[dict[str, Any], ...]
    contract_id: str


async def review_images(
    services: Services,
    tenant: str,
    collection: Collection,
    person_id: str | None,
    images: Sequence[Photo],
    options: EnrollmentOptions,
) -> Reviewed:
    """Return the faces that `images` add to `person_id` (None: a new person) of `collection`.

    Images that cannot be used are listed in `rejected` with a reason. Raises RegistrationFailed when none is left.
    """
    external = external_vectors(options, len(images), collection)
    seen = await analyze_images(
        services.embedder,
        [image.content for image in images],
        collection,
        embeds=external is None,
        counts_faces=options.review_mode != "off",
    )
    accepted: list[tuple[int, NewFace]] = []
    rejected: list[dict[str, Any]] = []
    contract_id = collection.contract.id
    for index, (image, sight) in enumerate(zip(images, seen, strict=True)):
        vector = None if external is None else trusted_embedding(external[index])
        outcome = judge(sight, options.review_mode, services.live.tuning, collection, vector, external is not None)
        if isinstance(outcome, str):
            rejected.append({"index": index, "filename": image.filename, "reason": outcome})
            continue
        accepted.append((index, outcome))
        # one replica on another model is enough for the store to refuse them all
        if external is None and isinstance(sight, Seen) and sight.model.contract.id != collection.contract.id:
            contract_id = sight.model.contract.id
    if options.review_mode == "strict":
        accepted, conflicts = await _refuse_look_alikes(services, tenant, collection, person_id, accepted, contract_id)
        rejected.extend({**conflict, "filename": images[conflict["index"]].filename} for conflict in conflicts)
    rejected.sort(key=lambda rejection: int(rejection["index"]))
    if not accepted:
        raise RegistrationFailed(tuple(rejected))
    return Reviewed(tuple(face for _, face in accepted), tuple(rejected), contract_id)


async def analyze_images(
    embedder: EmbedderPort, images: Sequence[bytes], collection: Collection, *, embeds: bool, counts_faces: bool
) -> list[Seen | ImageError]:
    """Return for each image what was seen in it, or why it cannot be used; replicas work on them side by side.

    Raises what the embedder raises: Overloaded, Unavailable.
    """
    turns = asyncio.Semaphore(IMAGES_AT_ONCE)
    options = single_face_options(
        collection.detection, embed=embeds, crop=collection.save_face_crops, counts_faces=counts_faces
    )

    async def analyze(image: bytes) -> Seen | ImageError:
        async with turns:
            try:
                return await embedder.analyze(image, options)
            except ImageError as error:
                return error

    return await side_by_side(*map(analyze, images))


def judge(
    sight: Seen | ImageError,
    mode: ReviewMode,
    tuning: IngressTuning,
    collection: Collection,
    vector: npt.NDArray[np.float32] | None,
    is_external: bool,
) -> NewFace | str:
    """Return the face to enrol from one image, or the reason why there is none."""
    if isinstance(sight, ImageError):
        return sight.code
    reason = review(sight.analysis, mode, tuning)
    if reason is not None:
        return reason
    face = sight.analysis.faces[0]
    embedding = vector if is_external else face.embedding
    if embedding is None:
        return "invalid_external_embedding" if is_external else "invalid_embedding"
    return new_face(sight.analysis, face, embedding, external=is_external, keeps_crop=collection.save_face_crops)


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


async def _refuse_look_alikes(
    services: Services,
    tenant: str,
    collection: Collection,
    person_id: str | None,
    accepted: Sequence[tuple[int, NewFace]],
    contract_id: str,
) -> tuple[list[tuple[int, NewFace]], list[dict[str, Any]]]:
    """Split off the faces that look more like somebody else than like the person they are enrolled for."""
    if not accepted:
        return [], []
    gallery = services.gallery
    probes = np.stack([face.embedding for _, face in accepted])  # (faces, 512)
    others = await gallery.search(tenant, collection.id, contract_id, probes, 1, exclude_person=person_id)
    kept: list[tuple[int, NewFace]] = []
    conflicts: list[dict[str, Any]] = []
    for (index, face), candidates in zip(accepted, others.candidates, strict=True):
        same = [similarity(face.embedding, other.embedding) for _, other in kept]
        if person_id is not None:
            enrolled = await gallery.verify(tenant, collection.id, person_id, contract_id, face.embedding)
            same.extend([] if enrolled.similarity is None else [enrolled.similarity])
        other = candidates[0] if candidates else None
        # the first face of a person has nothing to be compared with, and is taken
        if same and other is not None and max(same) <= other.similarity:
            conflicts.append(
                {
                    "index": index,
                    "reason": "identity_similarity_conflict",
                    "same_person_similarity": round(max(same), 6),
                    "other_person_similarity": round(other.similarity, 6),
                    "other_person_id": other.person.id,
                    "matched_face_id": other.face_id,
                }
            )
        else:
            kept.append((index, face))
    return kept, conflicts
