"""Collections: create, read, change, delete."""

from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request, Response

from configs.tuning import EmbedderTuning
from deployments.decisions.recognition import DEFAULT_SELECTION, SEARCH_PROFILE, contract_of, match_threshold
from deployments.http.access.requirement import requires
from deployments.http.bodies.json_body import read_json
from deployments.http.context import ApiContext, Caller, Context, PageSize, idempotency_of
from deployments.http.openapi import error_responses, json_body, writes
from deployments.http.problems import SearchCapacityTooLarge
from deployments.http.requests.collections import CollectionCreate, CollectionDetection, CollectionPatch
from deployments.http.responses.collections import CollectionPageResponse, CollectionResponse
from store.types import DetectionProfile, NewCollection

router = APIRouter(prefix="/v1/collections", tags=["collections"], responses=error_responses())


@router.post(
    "",
    status_code=201,
    dependencies=requires("collections:admin"),
    openapi_extra=json_body(CollectionCreate, writes=True),
)
async def create_collection(request: Request, context: Context, caller: Caller) -> CollectionResponse:
    """Create a collection, bound to the embedding contract of the running models."""
    body = await read_json(request, CollectionCreate)
    caller.require_collection(body.id)
    idempotency = idempotency_of(request, body)
    _check_capacity(context, body.search.capacity_rows)
    model = await context.services.embedder.describe()
    settings = context.settings
    threshold = body.threshold
    if threshold is None:
        threshold = match_threshold(model, context.services.tuning_source.tuning)
    new = NewCollection(
        id=body.id,
        name=body.name,
        description=body.description,
        threshold=threshold,
        contract=contract_of(model),
        detection=_detection(body.detection, model.detector_inputs),
        search_profile=SEARCH_PROFILE,
        capacity_rows=body.search.capacity_rows or settings.default_capacity,
        max_faces_per_person=body.search.max_faces_per_person or settings.default_max_faces_per_person,
        load_policy=body.search.load_policy or "eager",
        save_face_crops=bool(body.save_face_crops),
        metadata=body.metadata,
    )
    collection = await context.services.gallery.create_collection(caller.tenant, new, idempotency=idempotency)
    return CollectionResponse.of(collection)


@router.get("", dependencies=requires("faces:read"))
async def list_collections(
    context: Context,
    caller: Caller,
    limit: PageSize = 50,
    cursor: str | None = None,
) -> CollectionPageResponse:
    """Return the collections that the token grants, by id."""
    page, following = await context.page(
        f"collections:{caller.tenant}",
        cursor,
        limit,
        lambda after, count: context.services.gallery.list_collections(
            caller.tenant, after=after, limit=count, granted=caller.collections
        ),
    )
    return CollectionPageResponse.of(page, following)


@router.get("/{collection_id}", dependencies=requires("faces:read"))
async def get_collection(collection_id: str, context: Context, caller: Caller) -> CollectionResponse:
    """Return a collection."""
    collection = await context.services.gallery.get_collection(caller.tenant, collection_id)
    return CollectionResponse.of(collection)


@router.patch(
    "/{collection_id}",
    dependencies=requires("collections:admin"),
    openapi_extra=json_body(CollectionPatch, writes=True),
)
async def update_collection(
    request: Request, collection_id: str, context: Context, caller: Caller
) -> CollectionResponse:
    """Change a collection."""
    body = await read_json(request, CollectionPatch)
    idempotency = idempotency_of(request, body)
    changes = body.model_dump(exclude_unset=True, exclude={"search", "detection"})
    if body.search is not None:
        changes |= body.search.model_dump(exclude_none=True)
        _check_capacity(context, body.search.capacity_rows)
    if body.detection is not None:
        changes["detection"] = body.detection.model_dump(exclude_none=True)
    collection = await context.services.gallery.update_collection(
        caller.tenant, collection_id, changes, idempotency=idempotency
    )
    context.recent.forget(caller.tenant, collection_id)
    return CollectionResponse.of(collection)


@router.delete(
    "/{collection_id}",
    status_code=204,
    response_class=Response,
    dependencies=requires("collections:admin"),
    openapi_extra=writes(),
)
async def delete_collection(
    request: Request, collection_id: str, context: Context, caller: Caller, force: bool = False
) -> Response:
    """Delete a collection; one that still has persons only with `force`."""
    idempotency = idempotency_of(request, f"force={force}")
    await context.services.gallery.delete_collection(caller.tenant, collection_id, force=force, idempotency=idempotency)
    context.recent.forget(caller.tenant, collection_id)
    return Response(status_code=204)


def _detection(wanted: CollectionDetection, default_inputs: tuple[tuple[int, int], ...]) -> DetectionProfile:
    embedder = EmbedderTuning()  # a collection keeps what it was created with, so not what an embedder has just now
    default = DetectionProfile(
        default_inputs, embedder.detection_threshold, embedder.nms_threshold, single_face_selection=DEFAULT_SELECTION
    )
    sizes = wanted.input_sizes
    changes: dict[str, Any] = wanted.model_dump(exclude_none=True, exclude={"input_sizes"})
    if sizes is not None:
        changes["input_sizes"] = tuple((width, height) for width, height in sizes)
    return replace(default, **changes)


def _check_capacity(context: ApiContext, wanted: int | None) -> None:
    limit = context.settings.max_capacity
    if wanted is not None and wanted > limit:
        raise SearchCapacityTooLarge(
            f"Expected capacity_rows of at most {limit:,}; found {wanted:,}.", {"max_capacity_rows": limit}
        )
