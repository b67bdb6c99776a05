"""Enrolments: photos become a new person, or more faces of a person; under a key only once."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from deployments.decisions.photos import Photo
from deployments.decisions.review import EnrollmentOptions, Rejection, Reviewed, review_photos
from deployments.ports import Services
from store.types import Enrollment, FaceRecord, Idempotency, NewPerson, Replay

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Enrolled(Generic[Outcome]):
    """What an enrolment wrote, now or the first time under its key, and the photos that it did not take."""

    outcome: Outcome
    rejected: tuple[Rejection, ...]


async def enroll_person(
    services: Services,
    tenant: str,
    collection_id: str,
    new: NewPerson,
    photos: Sequence[Photo],
    options: EnrollmentOptions,
    *,
    idempotency: Idempotency | None = None,
) -> Enrolled[Enrollment]:
    """Enrol a new person from `photos`.

    Raises what `review_photos` and `Gallery.enroll_person` raise.
    """

    async def write(reviewed: Reviewed, idempotency: Idempotency | None) -> Enrollment:
        return await services.gallery.enroll_person(
            tenant, collection_id, new, reviewed.faces, reviewed.contract_id, idempotency=idempotency
        )

    return await _enroll(services, tenant, collection_id, None, photos, options, idempotency, write)


async def enroll_faces(
    services: Services,
    tenant: str,
    collection_id: str,
    person_id: str,
    photos: Sequence[Photo],
    options: EnrollmentOptions,
    *,
    idempotency: Idempotency | None = None,
) -> Enrolled[tuple[FaceRecord, ...]]:
    """Enrol more faces of a person from `photos`.

    Raises what `review_photos` and `Gallery.add_faces` raise; PersonNotFound before any photo is looked at.
    """

    async def write(reviewed: Reviewed, idempotency: Idempotency | None) -> tuple[FaceRecord, ...]:
        return await services.gallery.add_faces(
            tenant, collection_id, person_id, reviewed.faces, reviewed.contract_id, idempotency=idempotency
        )

    return await _enroll(services, tenant, collection_id, person_id, photos, options, idempotency, write)


async def _enroll(
    services: Services,
    tenant: str,
    collection_id: str,
    person_id: str | None,
    photos: Sequence[Photo],
    options: EnrollmentOptions,
    idempotency: Idempotency | None,
    write: Callable[[Reviewed, Idempotency | None], Awaitable[Outcome]],
) -> Enrolled[Outcome]:
    prepared = await services.gallery.prepare_enrollment(
        tenant, collection_id, person=person_id, idempotency=idempotency
    )
    if isinstance(prepared, Replay):
        return Enrolled(
            prepared.outcome, tuple(Rejection.from_json(rejection) for rejection in json.loads(prepared.note))
        )
    reviewed = await review_photos(services, tenant, prepared, person_id, photos, options)
    if idempotency is not None:  # kept with the outcome, so that a retry is told the same
        note = json.dumps([rejection.as_json() for rejection in reviewed.rejected])
        idempotency = replace(idempotency, note=note)
    return Enrolled(await write(reviewed, idempotency), reviewed.rejected)
