"""Persons of a collection: enrol, read, change, merge, delete."""

from fastapi import APIRouter, Query, Request, Response

from deployments.decisions.enroll import enroll_person
from deployments.http.access.requirement import requires
from deployments.http.access.tokens import NAME, NAME_IN_WORDS
from deployments.http.bodies.json_body import read_json
from deployments.http.bodies.uploads import read_images
from deployments.http.context import Caller, Context, PageSize, enrollment_key, idempotency_of
from deployments.http.openapi import error_responses, image_body, json_body, writes
from deployments.http.problems import InvalidPersonId, InvalidRequest
from deployments.http.requests.persons import PersonEnrollment, PersonMerge, PersonPatch
from deployments.http.responses.persons import PersonPageResponse, PersonRegistrationResponse, PersonResponse
from store.types import NewPerson

router = APIRouter(prefix="/v1/collections/{collection_id}/persons", tags=["persons"], responses=error_responses())


@router.post(
    "",
    status_code=201,
    dependencies=requires("faces:write"),
    openapi_extra=image_body(["images"], PersonEnrollment, many=True, writes=True),
)
async def create_person(
    request: Request, collection_id: str, context: Context, caller: Caller
) -> PersonRegistrationResponse:
    """Enrol a new person from one or more images."""
    form = await read_images(request, ["images"])
    options = form.options(PersonEnrollment)
    if options.id is not None and NAME.fullmatch(options.id) is None:
        raise InvalidPersonId(f"Expected a person id of {NAME_IN_WORDS}.")
    enrolled = await enroll_person(
        context.services,
        caller.tenant,
        collection_id,
        NewPerson(options.id, options.name, options.external_id, options.metadata),
        form.some("images", context.settings.max_images),
        options.options,
        idempotency=await enrollment_key(request, form),
    )
    return PersonRegistrationResponse.of(enrolled)


@router.get("", dependencies=requires("faces:read"))
async def list_persons(
    collection_id: str,
    context: Context,
    caller: Caller,
    limit: PageSize = 50,
    cursor: str | None = None,
    search: str | None = Query(default=None, max_length=200),
) -> PersonPageResponse:
    """Return the persons of a collection by id; with `search`, those whose id, name or external id contains it."""
    page, following = await context.page(
        f"persons:{caller.tenant}:{collection_id}:{search or ''}",
        cursor,
        limit,
        lambda after, count: context.services.gallery.list_persons(
            caller.tenant, collection_id, after=after, limit=count, search=search
        ),
    )
    return PersonPageResponse.of(page, following)


@router.get("/{person_id}", dependencies=requires("faces:read"))
async def get_person(collection_id: str, person_id: str, context: Context, caller: Caller) -> PersonResponse:
    """Return a person."""
    person = await context.services.gallery.get_person(caller.tenant, collection_id, person_id)
    return PersonResponse.of(person)


@router.patch(
    "/{person_id}",
    dependencies=requires("faces:write"),
    openapi_extra=json_body(PersonPatch, writes=True),
)
async def update_person(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> PersonResponse:
    """Change a person."""
    body = await read_json(request, PersonPatch)
    person = await context.services.gallery.update_person(
        caller.tenant,
        collection_id,
        person_id,
        body.model_dump(exclude_unset=True),
        idempotency=idempotency_of(request, body),
    )
    return PersonResponse.of(person)


@router.post(
    "/{person_id}/merge",
    dependencies=requires("faces:write"),
    openapi_extra=json_body(PersonMerge, writes=True),
)
async def merge_person(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> PersonResponse:
    """Move all faces of another person to this one and delete the other."""
    body = await read_json(request, PersonMerge)
    if body.source_person_id == person_id:
        raise InvalidRequest("Expected another person to merge; a person cannot be merged with itself.")
    person = await context.services.gallery.merge_person(
        caller.tenant,
        collection_id,
        body.source_person_id,
        person_id,
        idempotency=idempotency_of(request, body),
    )
    return PersonResponse.of(person)


@router.delete(
    "/{person_id}",
    status_code=204,
    response_class=Response,
    dependencies=requires("faces:write"),
    openapi_extra=writes(),
)
async def delete_person(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> Response:
    """Delete a person with all faces."""
    await context.services.gallery.delete_person(
        caller.tenant, collection_id, person_id, idempotency=idempotency_of(request)
    )
    return Response(status_code=204)
