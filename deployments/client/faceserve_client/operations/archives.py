"""Archives: the faces of a collection out, and in again."""

from collections.abc import Mapping, Sequence
from typing import Any

from faceserve_client.calls import Call, Listing, answer, given, path_of, whole
from faceserve_client.models.archives import ArchivedFace, ArchivePageResponse, RestoreResponse


def read_archive(collection_id: str, *, limit: int | None = None) -> Listing[ArchivedFace]:
    """Return all faces of a collection with embeddings and crops, in the order of enrolment."""

    def page(cursor: str | None) -> Call[tuple[Sequence[ArchivedFace], str | None]]:
        return Call(
            "GET",
            path_of("collections", collection_id, "archive"),
            answer(ArchivePageResponse, lambda found: (found.faces, found.next_cursor)),
            options=given(limit=limit, cursor=cursor),
        )

    return Listing(page)


def restore_archive(
    collection_id: str,
    embedding_contract_id: str,
    *,
    persons: Sequence[Mapping[str, Any]] | None = None,
    faces: Sequence[Mapping[str, Any]] | None = None,
    idempotency_key: str | None = None,
) -> Call[RestoreResponse]:
    """Add up to 100 persons and 100 faces of an archive, those that the collection lacks.

    Raises CollectionModelMismatch where the collection has another embedding contract.
    """
    return Call(
        "POST",
        path_of("collections", collection_id, "archive"),
        whole(RestoreResponse),
        body=given(embedding_contract_id=embedding_contract_id, persons=persons, faces=faces),
        is_write=True,
        key=idempotency_key,
    )
