"""Collections: create, read, change, delete."""

from collections.abc import Mapping, Sequence
from typing import Any

from faceserve_client.calls import Call, Listing, answer, changed, given, nothing, path_of
from faceserve_client.models.collections import Collection, CollectionPageResponse, CollectionResponse
from faceserve_client.unset import UNSET, Unset


def create_collection(
    id: str,
    name: str,
    *,
    description: str | None = None,
    threshold: float | None = None,
    save_face_crops: bool | None = None,
    metadata: Mapping[str, Any] | None = None,
    detection: Mapping[str, Any] | None = None,
    search: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[Collection]:
    """Create a collection, bound to the embedding contract of the running models. Raises CollectionExists."""
    body = given(
        id=id,
        name=name,
        description=description,
        threshold=threshold,
        save_face_crops=save_face_crops,
        metadata=metadata,
        detection=detection,
        search=search,
    )
    return Call(
        "POST",
        path_of("collections"),
        answer(CollectionResponse, lambda found: found.collection),
        body=body,
        is_write=True,
        key=idempotency_key,
    )


def list_collections(*, limit: int | None = None) -> Listing[Collection]:
    """Return the collections that the token grants, by id. `limit`: of one page, at most 100."""

    def page(cursor: str | None) -> Call[tuple[Sequence[Collection], str | None]]:
        return Call(
            "GET",
            path_of("collections"),
            answer(CollectionPageResponse, lambda found: (found.collections, found.next_cursor)),
            options=given(limit=limit, cursor=cursor),
        )

    return Listing(page)


def get_collection(collection_id: str) -> Call[Collection]:
    """Return a collection. Raises CollectionNotFound."""
    return Call(
        "GET", path_of("collections", collection_id), answer(CollectionResponse, lambda found: found.collection)
    )


def update_collection(
    collection_id: str,
    *,
    name: str | Unset = UNSET,
    description: str | Unset = UNSET,
    threshold: float | Unset = UNSET,
    save_face_crops: bool | Unset = UNSET,
    metadata: Mapping[str, Any] | Unset = UNSET,
    detection: Mapping[str, Any] | Unset = UNSET,
    search: Mapping[str, Any] | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Collection]:
    """Change a collection; what is left out stays."""
    body = changed(
        name=name,
        description=description,
        threshold=threshold,
        save_face_crops=save_face_crops,
        metadata=metadata,
        detection=detection,
        search=search,
    )
    return Call(
        "PATCH",
        path_of("collections", collection_id),
        answer(CollectionResponse, lambda found: found.collection),
        body=body,
        is_write=True,
        key=idempotency_key,
    )


def delete_collection(collection_id: str, *, force: bool = False, idempotency_key: str | None = None) -> Call[None]:
    """Delete a collection; one that still has persons only with `force`."""
    return Call(
        "DELETE",
        path_of("collections", collection_id),
        nothing(),
        options=given(force=force or None),
        is_write=True,
        key=idempotency_key,
    )
