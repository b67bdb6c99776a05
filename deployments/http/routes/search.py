"""Who is it: search, identify, verify."""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Request

from deployments.decisions.errors import InvalidEmbedding
from deployments.decisions.recognition import all_faces_options, identify, single_face_options, trusted_embedding
from deployments.http.access.requirement import requires
from deployments.http.bodies.uploads import ImageRequest, read_images, validated
from deployments.http.context import ApiContext, Caller, Context
from deployments.http.openapi import error_responses, image_body
from deployments.http.presentation import identity_body, matches_body, observed_face, person_body
from deployments.http.problems import DetectionOverride
from deployments.http.responses import IdentifyResponse, SearchResponse, VerifyResponse
from deployments.http.routes.faces import elapsed_ms, the_face
from deployments.http.schemas import IdentifyOptions, ProbeSearch, SearchOptions, VerifyOptions
from store.types import Candidate

router = APIRouter(
    prefix="/v1/collections/{collection_id}",
    tags=["search"],
    dependencies=requires("faces:read"),
    responses=error_responses(),
)


@router.post(
    "/search",
    response_model=SearchResponse,
    openapi_extra=image_body(["image"], SearchOptions, instead=ProbeSearch),
)
async def search(request: Request, collection_id: str, context: Context, caller: Caller) -> dict[str, Any]:
    """Return the persons who look most like the face of an image, like an embedding or like an enrolled face."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    if not form.images and ("embedding" in form.fields or "face_id" in form.fields):
        return await _search_by_probe(request, collection_id, context, caller.tenant, form, started)
    options = form.options(SearchOptions)
    _refuse_selection(options)
    image = form.one("image")
    gallery = context.services.gallery
    collection = await context.recent.get(caller.tenant, collection_id)
    seen = await context.services.embedder.analyze(image.content, single_face_options(collection.detection))
    face = the_face(seen)
    assert face.embedding is not None
    outcome = await gallery.search(
        caller.tenant, collection_id, seen.model.contract.id, face.embedding[np.newaxis], options.limit
    )
    threshold = outcome.threshold if options.threshold is None else options.threshold
    _count(context, request, outcome.candidates[0], threshold)
    return {
        "request_id": request.state.request_id,
        "searched_face": observed_face(face, seen.analysis),
        "matches": matches_body(outcome.candidates[0], threshold),
        "threshold": round(threshold, 6),
        "processing_ms": elapsed_ms(started),
    }


@router.post("/identify", response_model=IdentifyResponse, openapi_extra=image_body(["image"], IdentifyOptions))
async def identify_faces(request: Request, collection_id: str, context: Context, caller: Caller) -> dict[str, Any]:
    """Return every face of a group photo and who it is."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(IdentifyOptions)
    image = form.one("image")
    gallery = context.services.gallery
    collection = await context.recent.get(caller.tenant, collection_id)
    analyze = all_faces_options(collection.detection, max_faces=options.max_faces, embed=True)
    seen = await context.services.embedder.analyze(image.content, analyze)
    analysis = seen.analysis
    threshold = collection.threshold if options.threshold is None else options.threshold
    faces: list[dict[str, Any]] = []
    if analysis.faces:
        probes = np.stack([face.embedding for face in analysis.faces if face.embedding is not None])  # (faces, 512)
        # one more than asked for: the runner-up decides the margin also when the client wants one candidate
        outcome = await gallery.search(
            caller.tenant, collection_id, seen.model.contract.id, probes, max(2, options.limit)
        )
        if options.threshold is None:
            threshold = outcome.threshold
        tuning = context.services.live.tuning
        for face, candidates in zip(analysis.faces, outcome.candidates, strict=True):
            identity = identify(candidates, threshold, tuning)
            context.decided(request, identity.decision, identity.best.similarity if identity.best else None)
            faces.append(identity_body(face, analysis, identity, candidates[: options.limit]))
    return {
        "request_id": request.state.request_id,
        "faces": faces,
        "threshold": round(threshold, 6),
        "processing_ms": elapsed_ms(started),
    }


@router.post(
    "/persons/{person_id}/verify",
    response_model=VerifyResponse,
    openapi_extra=image_body(["image"], VerifyOptions),
)
async def verify(
    request: Request, collection_id: str, person_id: str, context: Context, caller: Caller
) -> dict[str, Any]:
    """Tell whether the face of an image is an enrolled person."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(VerifyOptions)
    image = form.one("image")
    gallery = context.services.gallery
    collection = await context.recent.get(caller.tenant, collection_id)
    seen = await context.services.embedder.analyze(image.content, single_face_options(collection.detection))
    face = the_face(seen)
    assert face.embedding is not None
    found = await gallery.verify(caller.tenant, collection_id, person_id, seen.model.contract.id, face.embedding)
    threshold = found.threshold if options.threshold is None else options.threshold
    verified = found.similarity is not None and found.similarity >= threshold
    context.decided(request, "match" if verified else "no_match", found.similarity)
    return {
        "request_id": request.state.request_id,
        "verified": verified,
        "similarity": None if found.similarity is None else round(found.similarity, 6),
        "threshold": round(threshold, 6),
        "person": person_body(found.person),
        "matched_face_id": found.face_id,
        "face": observed_face(face, seen.analysis),
        "processing_ms": elapsed_ms(started),
    }


def _count(context: ApiContext, request: Request, candidates: Sequence[Candidate], threshold: float) -> None:
    best = candidates[0].similarity if candidates else None
    context.decided(request, "match" if best is not None and best >= threshold else "no_match", best)


def _refuse_selection(options: SearchOptions) -> None:
    if options.face_selection is not None:
        raise DetectionOverride("The selection of the face belongs to the collection; it cannot be set here.")


async def _search_by_probe(
    request: Request, collection_id: str, context: ApiContext, tenant: str, form: ImageRequest, started: float
) -> dict[str, Any]:
    options = validated(ProbeSearch, form.fields)
    _refuse_selection(options)
    gallery = context.services.gallery
    collection = await gallery.get_collection(tenant, collection_id)
    probe = await _probe(context, tenant, collection_id, collection.contract.id, options)
    outcome = await gallery.search(tenant, collection_id, collection.contract.id, probe[np.newaxis], options.limit)
    threshold = outcome.threshold if options.threshold is None else options.threshold
    _count(context, request, outcome.candidates[0], threshold)
    return {
        "request_id": request.state.request_id,
        "searched_face": None,
        "matches": matches_body(outcome.candidates[0], threshold),
        "threshold": round(threshold, 6),
        "processing_ms": elapsed_ms(started),
    }


async def _probe(
    context: ApiContext, tenant: str, collection_id: str, contract_id: str, options: ProbeSearch
) -> npt.NDArray[np.float32]:
    if options.face_id is not None:
        return await context.services.gallery.face_embedding(tenant, collection_id, options.face_id, contract_id)
    embedding = trusted_embedding(options.embedding)
    if embedding is None:
        raise InvalidEmbedding()
    return embedding
