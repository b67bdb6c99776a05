"""Enrolled faces of a person: add, read, move, delete."""

from fastapi import APIRouter, Query, Request, Response

from deployments.decisions.enroll import enroll_faces
from deployments.http.access.requirement import requires
from deployments.http.bodies.json_body import read_json
from deployments.http.bodies.uploads import read_images
from deployments.http.context import MAX_LISTED, Caller, Context, PageSize, enrollment_key, idempotency_of
from deployments.http.openapi import error_responses, image_body, json_body, writes
from deployments.http.problems import InvalidRequest
from deployments.http.requests.persons import FaceEnrollment, FaceMove
from deployments.http.responses.persons import DeletedResponse, FacePageResponse, FaceRegistrationResponse, FaceResponse

router = APIRouter(
    prefix="/v1/collections/{collection_id}/persons/{person_id}/faces", tags=["persons"], responses=error_responses()
)


@router.post(
    "",
    status_code=201,
    dependencies=requires("faces:write"),
    openapi_extra=image_body(["images"], FaceEnrollment, many=True, writes=True),
)
async def add_faces(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> FaceRegistrationResponse:
    """Enrol more faces of a person from one or more images."""
    form = await read_images(request, ["images"])
    options = form.options(FaceEnrollment)
    enrolled = await enroll_faces(
        context.services,
        caller.tenant,
        collection_id,
        person_id,
        form.some("images", context.settings.max_images),
        options.options,
        idempotency=await enrollment_key(request, form),
    )
    return FaceRegistrationResponse.of(enrolled)


@router.get("", dependencies=requires("faces:read"))
async def list_faces(
    collection_id: str,
    person_id: str,
    context: Context,
    caller: Caller,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> FacePageResponse:
    """Return the faces of a person, oldest first."""
    page, following = await context.page(
        f"faces:{caller.tenant}:{collection_id}:{person_id}",
        cursor,
        limit,
        lambda after, count: context.services.gallery.list_faces(
            caller.tenant, collection_id, person_id, after=after, limit=count
        ),
    )
    return FacePageResponse.of(page, following)


@router.get("/{face_id}", dependencies=requires("faces:read"))
async def get_face(collection_id: str, person_id: str, face_id: str, context: Context, caller: Caller) -> FaceResponse:
    """Return a face."""
    face = await context.services.gallery.get_face(caller.tenant, collection_id, person_id, face_id)
    return FaceResponse.of(face)


@router.get(
    "/{face_id}/image",
    response_class=Response,
    dependencies=requires("faces:read"),
    responses={
        200: {
            "description": "The aligned face, 112 x 112.",
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def get_face_image(
    collection_id: str, person_id: str, face_id: str, context: Context, caller: Caller
) -> Response:
    """Return the picture of a face, where the collection saves them."""
    crop = await context.services.gallery.face_crop(caller.tenant, collection_id, person_id, face_id)
    return Response(content=crop, media_type="image/jpeg", headers={"Cache-Control": "no-store"})


@router.post(
    "/{face_id}/move",
    dependencies=requires("faces:write"),
    openapi_extra=json_body(FaceMove, writes=True),
)
async def move_face(
    request: Request, collection_id: str, person_id: str, face_id: str, context: Context, caller: Caller
) -> FaceResponse:
    """Give a face to another person of the collection."""
    body = await read_json(request, FaceMove)
    face = await context.services.gallery.move_face(
        caller.tenant,
        collection_id,
        person_id,
        face_id,
        body.person_id,
        idempotency=idempotency_of(request, body),
    )
    return FaceResponse.of(face)


@router.delete(
    "/{face_id}",
    status_code=204,
    response_class=Response,
    dependencies=requires("faces:write"),
    openapi_extra=writes(),
)
async def delete_face(
    request: Request, collection_id: str, person_id: str, face_id: str, context: Context, caller: Caller
) -> Response:
    """Delete a face."""
    await context.services.gallery.delete_face(
        caller.tenant,
        collection_id,
        person_id,
        face_id,
        idempotency=idempotency_of(request),
    )
    return Response(status_code=204)


@router.delete("", dependencies=requires("faces:write"), openapi_extra=writes())
async def delete_faces(
    request: Request,
    collection_id: str,
    person_id: str,
    context: Context,
    caller: Caller,
    face_id: list[str] = Query(default=[], max_length=MAX_LISTED),
    all: bool = False,
) -> DeletedResponse:
    """Delete the named faces of a person, or with `all` every face; faces that are not there are passed over."""
    if all == bool(face_id):
        raise InvalidRequest("Expected either face_id, once or more, or all=true.")
    deleted = await context.services.gallery.delete_faces(
        caller.tenant,
        collection_id,
        person_id,
        None if all else face_id,
        idempotency=idempotency_of(request, f"all={all} face_id={face_id}"),
    )
    return DeletedResponse(deleted=deleted)
