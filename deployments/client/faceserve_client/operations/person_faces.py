"""Enrolled faces of a person: add, read, move, delete."""

from collections.abc import Sequence

from faceserve_client.calls import Call, Listing, answer, given, nothing, path_of, raw, whole
from faceserve_client.images import Image
from faceserve_client.models.persons import (
    DeletedResponse,
    FacePageResponse,
    FaceRegistrationResponse,
    FaceResponse,
    FaceSample,
)


def add_faces(
    collection_id: str,
    person_id: str,
    images: Sequence[Image],
    *,
    review_mode: str | None = None,
    embedding_mode: str | None = None,
    external_embeddings: Sequence[Sequence[float]] | None = None,
    embedding_contract_id: str | None = None,
    idempotency_key: str | None = None,
) -> Call[FaceRegistrationResponse]:
    """Enrol more faces of a person from one or more images; none where all are rejected. Raises PersonNotFound."""
    options = given(
        review_mode=review_mode,
        embedding_mode=embedding_mode,
        external_embeddings=external_embeddings,
        embedding_contract_id=embedding_contract_id,
    )
    return Call(
        "POST",
        _faces(collection_id, person_id),
        whole(FaceRegistrationResponse),
        images=[("images", image) for image in images],
        options=options,
        as_form=True,
        is_write=True,
        key=idempotency_key,
    )


def list_faces(collection_id: str, person_id: str, *, limit: int | None = None) -> Listing[FaceSample]:
    """Return the faces of a person, oldest first. `limit`: of one page, at most 100."""

    def page(cursor: str | None) -> Call[tuple[Sequence[FaceSample], str | None]]:
        return Call(
            "GET",
            _faces(collection_id, person_id),
            answer(FacePageResponse, lambda found: (found.faces, found.next_cursor)),
            options=given(limit=limit, cursor=cursor),
        )

    return Listing(page)


def get_face(collection_id: str, person_id: str, face_id: str) -> Call[FaceSample]:
    """Return a face. Raises FaceNotFound."""
    return Call("GET", _faces(collection_id, person_id, face_id), answer(FaceResponse, lambda found: found.face))


def get_face_image(collection_id: str, person_id: str, face_id: str) -> Call[bytes]:
    """Return the aligned picture of a face, a JPEG of 112 x 112, where the collection saves them."""
    return Call("GET", _faces(collection_id, person_id, face_id, "image"), raw())


def move_face(
    collection_id: str, person_id: str, face_id: str, to_person_id: str, *, idempotency_key: str | None = None
) -> Call[FaceSample]:
    """Give a face to another person of the collection."""
    return Call(
        "POST",
        _faces(collection_id, person_id, face_id, "move"),
        answer(FaceResponse, lambda found: found.face),
        body={"person_id": to_person_id},
        is_write=True,
        key=idempotency_key,
    )


def delete_face(collection_id: str, person_id: str, face_id: str, *, idempotency_key: str | None = None) -> Call[None]:
    """Delete a face."""
    return Call(
        "DELETE",
        _faces(collection_id, person_id, face_id),
        nothing(),
        is_write=True,
        key=idempotency_key,
    )


def delete_faces(
    collection_id: str,
    person_id: str,
    *,
    face_id: Sequence[str] | None = None,
    all: bool = False,
    idempotency_key: str | None = None,
) -> Call[int]:
    """Delete up to 100 named faces of a person, or with `all` every face; return how many there were."""
    return Call(
        "DELETE",
        _faces(collection_id, person_id),
        answer(DeletedResponse, lambda found: found.deleted),
        options=given(face_id=None if face_id is None else list(face_id), all=all or None),
        is_write=True,
        key=idempotency_key,
    )


def _faces(collection_id: str, person_id: str, *rest: str) -> str:
    return path_of("collections", collection_id, "persons", person_id, "faces", *rest)
