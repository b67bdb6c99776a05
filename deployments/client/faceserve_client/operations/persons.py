"""Persons of a collection: enrol, read, change, merge, delete."""

from collections.abc import Mapping, Sequence
from typing import Any

from faceserve_client.calls import Call, Listing, answer, changed, given, nothing, path_of, whole
from faceserve_client.images import Image
from faceserve_client.models.persons import Person, PersonPageResponse, PersonRegistrationResponse, PersonResponse
from faceserve_client.unset import UNSET, Unset


def create_person(
    collection_id: str,
    images: Sequence[Image],
    *,
    id: str | None = None,
    name: str | None = None,
    external_id: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    review_mode: str | None = None,
    embedding_mode: str | None = None,
    external_embeddings: Sequence[Sequence[float]] | None = None,
    embedding_contract_id: str | None = None,
    idempotency_key: str | None = None,
) -> Call[PersonRegistrationResponse]:
    """Enrol a new person from one or more images. Raises PersonExists, ExternalIdExists, RegistrationFailed."""
    options = given(
        id=id,
        name=name,
        external_id=external_id,
        metadata=metadata,
        review_mode=review_mode,
        embedding_mode=embedding_mode,
        external_embeddings=external_embeddings,
        embedding_contract_id=embedding_contract_id,
    )
    return Call(
        "POST",
        path_of("collections", collection_id, "persons"),
        whole(PersonRegistrationResponse),
        images=[("images", image) for image in images],
        options=options,
        as_form=True,
        is_write=True,
        key=idempotency_key,
    )


def list_persons(collection_id: str, *, search: str | None = None, limit: int | None = None) -> Listing[Person]:
    """Return the persons of a collection by id; with `search`, those whose id, name or external id contains it.

    `limit`: of one page, at most 100.
    """

    def page(cursor: str | None) -> Call[tuple[Sequence[Person], str | None]]:
        return Call(
            "GET",
            path_of("collections", collection_id, "persons"),
            answer(PersonPageResponse, lambda found: (found.persons, found.next_cursor)),
            options=given(limit=limit, cursor=cursor, search=search),
        )

    return Listing(page)


def get_person(collection_id: str, person_id: str) -> Call[Person]:
    """Return a person. Raises PersonNotFound."""
    return Call(
        "GET",
        path_of("collections", collection_id, "persons", person_id),
        answer(PersonResponse, lambda found: found.person),
    )


def update_person(
    collection_id: str,
    person_id: str,
    *,
    name: str | Unset | None = UNSET,
    external_id: str | Unset | None = UNSET,
    metadata: Mapping[str, Any] | Unset = UNSET,
    idempotency_key: str | None = None,
) -> Call[Person]:
    """Change a person; what is left out stays, None clears a name or an external id. Raises ExternalIdExists."""
    return Call(
        "PATCH",
        path_of("collections", collection_id, "persons", person_id),
        answer(PersonResponse, lambda found: found.person),
        body=changed(name=name, external_id=external_id, metadata=metadata),
        is_write=True,
        key=idempotency_key,
    )


def merge_person(
    collection_id: str, person_id: str, source_person_id: str, *, idempotency_key: str | None = None
) -> Call[Person]:
    """Move all faces of `source_person_id` to `person_id` and delete the former."""
    return Call(
        "POST",
        path_of("collections", collection_id, "persons", person_id, "merge"),
        answer(PersonResponse, lambda found: found.person),
        body={"source_person_id": source_person_id},
        is_write=True,
        key=idempotency_key,
    )


def delete_person(collection_id: str, person_id: str, *, idempotency_key: str | None = None) -> Call[None]:
    """Delete a person with all faces."""
    return Call(
        "DELETE",
        path_of("collections", collection_id, "persons", person_id),
        nothing(),
        is_write=True,
        key=idempotency_key,
    )
