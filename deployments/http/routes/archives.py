"""Archives: the faces of a collection out, and in again."""

from fastapi import APIRouter, Query, Request

from deployments import bounds
from deployments.http.access.requirement import requires
from deployments.http.bodies.json_body import read_json
from deployments.http.context import Caller, Context, idempotency_of
from deployments.http.cursors import InvalidCursor
from deployments.http.openapi import error_responses, json_body
from deployments.http.requests.archives import ArchivePart
from deployments.http.responses.archives import ArchivePageResponse, RestoreResponse

router = APIRouter(prefix="/v1/collections/{collection_id}/archive", tags=["archives"], responses=error_responses())


@router.get("", dependencies=requires("collections:admin"))
async def read_archive(
    collection_id: str,
    context: Context,
    caller: Caller,
    limit: int = Query(default=100, ge=1, le=100),
    cursor: str | None = None,
) -> ArchivePageResponse:
    """Return faces of a collection with embeddings and crops, in the order of enrolment."""
    scope = f"archive:{caller.tenant}:{collection_id}"
    after = context.cursors.decode(cursor, scope)
    if after is not None and not after.isdecimal():
        raise InvalidCursor()
    gallery = context.services.gallery
    found = await gallery.archive_page(caller.tenant, collection_id, after=int(after or 0), limit=limit + 1)
    collection = await gallery.get_collection(caller.tenant, collection_id)
    following = context.cursors.encode(scope, str(found[limit - 1].position)) if len(found) > limit else None
    return ArchivePageResponse.of(collection.contract.id, found[:limit], following)


@router.post("", dependencies=requires("collections:admin"), openapi_extra=json_body(ArchivePart, writes=True))
async def restore_archive(request: Request, collection_id: str, context: Context, caller: Caller) -> RestoreResponse:
    """Add persons and faces of an archive that a collection of the same embedding contract lacks."""
    body = await read_json(request, ArchivePart, bounds.ARCHIVE_BYTES)
    counts = await context.services.gallery.restore(
        caller.tenant,
        collection_id,
        body.embedding_contract_id,
        [person.restored() for person in body.persons],
        [face.restored() for face in body.faces],
        idempotency=idempotency_of(request, body),
    )
    return RestoreResponse.of(counts)
