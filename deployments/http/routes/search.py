"""Who is it: search, identify, verify."""

import time

from fastapi import APIRouter, Request

from deployments.decisions.calibration.meaning import ScoreMeaning
from deployments.decisions.search import (
    Found,
    identify_photo,
    search_by_embedding,
    search_by_face,
    search_by_photo,
    verify_person,
)
from deployments.http.access.requirement import requires
from deployments.http.bodies.uploads import read_images
from deployments.http.context import ApiContext, Caller, Context, elapsed_ms
from deployments.http.openapi import error_responses, image_body
from deployments.http.problems import DetectionOverride
from deployments.http.requests.search import IdentifyOptions, ProbeSearch, SearchOptions, VerifyOptions
from deployments.http.responses.search import IdentifyResponse, SearchResponse, VerifyResponse
from store.types import Collection

router = APIRouter(
    prefix="/v1/collections/{collection_id}",
    tags=["search"],
    dependencies=requires("faces:read"),
    responses=error_responses(),
)


@router.post(
    "/search",
    openapi_extra=image_body(["image"], SearchOptions, instead=ProbeSearch),
)
async def search(request: Request, collection_id: str, context: Context, caller: Caller) -> SearchResponse:
    """Return the persons who look most like the face of an image, like an embedding or like an enrolled face."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    if not form.images and ("embedding" in form.fields or "face_id" in form.fields):
        found = await _search_by_probe(context, caller.tenant, collection_id, form.options(ProbeSearch))
    else:
        options = form.options(SearchOptions)
        _refuse_selection(options)
        photo = form.one("image").content
        collection = await context.recent.get(caller.tenant, collection_id)
        found = await search_by_photo(
            context.services,
            caller.tenant,
            collection,
            photo,
            limit=options.limit,
            threshold=_threshold(options, collection),
        )
    context.decided(request, found.decision, found.similarity)
    return SearchResponse.of(found, elapsed_ms(started))


@router.post("/identify", openapi_extra=image_body(["image"], IdentifyOptions))
async def identify_faces(request: Request, collection_id: str, context: Context, caller: Caller) -> IdentifyResponse:
    """Return every face of a group photo and who it is."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(IdentifyOptions)
    photo = form.one("image").content
    collection = await context.recent.get(caller.tenant, collection_id)
    identified = await identify_photo(
        context.services,
        caller.tenant,
        collection,
        photo,
        limit=options.limit,
        max_faces=options.max_faces,
        threshold=_threshold(options, collection),
    )
    for face in identified.faces:
        context.decided(request, face.identity.decision, face.identity.similarity)
    return IdentifyResponse.of(identified, elapsed_ms(started))


@router.post(
    "/persons/{person_id}/verify",
    openapi_extra=image_body(["image"], VerifyOptions),
)
async def verify(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> VerifyResponse:
    """Tell whether the face of an image is an enrolled person."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(VerifyOptions)
    photo = form.one("image").content
    collection = await context.recent.get(caller.tenant, collection_id)
    verified = await verify_person(
        context.services, caller.tenant, collection, person_id, photo, threshold=_threshold(options, collection)
    )
    context.decided(request, verified.decision, verified.similarity)
    return VerifyResponse.of(verified, elapsed_ms(started))


async def _search_by_probe(context: ApiContext, tenant: str, collection_id: str, options: ProbeSearch) -> Found:
    _refuse_selection(options)
    # not as of a moment ago: the contract must be today's, or the probe would be refused
    collection = await context.services.gallery.get_collection(tenant, collection_id)
    limit, threshold = options.limit, _threshold(options, collection)
    if options.face_id is not None:
        return await search_by_face(
            context.services, tenant, collection, options.face_id, limit=limit, threshold=threshold
        )
    embedding = options.embedding or ()
    return await search_by_embedding(context.services, tenant, collection, embedding, limit=limit, threshold=threshold)


def _threshold(options: SearchOptions | IdentifyOptions | VerifyOptions, collection: Collection) -> float | None:
    return ScoreMeaning.of(collection).threshold(options.threshold, options.max_stranger_rate)


def _refuse_selection(options: SearchOptions) -> None:
    if options.face_selection is not None:
        raise DetectionOverride("The selection of the face belongs to the collection; it cannot be set here.")
