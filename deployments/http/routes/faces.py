"""Faces of images that are not stored: detect, compare, embeddings."""

import time
from typing import Any

from fastapi import APIRouter, Request

from deployments.decisions.compare import compare_photos
from deployments.decisions.photos import select_face
from deployments.decisions.recognition import all_faces_options
from deployments.http.access.requirement import requires
from deployments.http.bodies.uploads import read_images
from deployments.http.context import Caller, Context, elapsed_ms
from deployments.http.openapi import error_responses, image_body
from deployments.http.presentation import embedded_face, model_summary, observed_face
from deployments.http.problems import DetectionOverride
from deployments.http.responses import CompareResponse, DetectResponse, EmbeddingsResponse
from deployments.http.schemas import CompareOptions, DetectOptions, EmbeddingsOptions

MAX_FACES = 100

router = APIRouter(tags=["faces"], dependencies=requires("faces:read"), responses=error_responses())


@router.post("/v1/detect", response_model=DetectResponse, openapi_extra=image_body(["image"], DetectOptions))
async def detect(request: Request, context: Context, caller: Caller) -> dict[str, Any]:
    """Return every face of an image, largest first."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(DetectOptions)
    if options.min_score is not None:
        raise DetectionOverride("The detection threshold belongs to the collection; min_score cannot be set here.")
    collection = await context.collection(caller, options.collection_id)
    analyze = all_faces_options(
        collection.detection if collection else None, max_faces=options.max_faces or MAX_FACES, embed=False
    )
    analysis = (await context.services.embedder.analyze(form.one("image").content, analyze)).analysis
    return {
        "request_id": request.state.request_id,
        "faces": [observed_face(face, analysis) for face in analysis.faces],
        "processing_ms": elapsed_ms(started),
    }


@router.post(
    "/v1/compare", response_model=CompareResponse, openapi_extra=image_body(["source", "target"], CompareOptions)
)
async def compare(request: Request, context: Context, caller: Caller) -> dict[str, Any]:
    """Tell whether two images show the same person."""
    started = time.perf_counter()
    form = await read_images(request, ["source", "target"])
    options = form.options(CompareOptions)
    source, target = form.one("source").content, form.one("target").content
    collection = await context.collection(caller, options.collection_id)
    compared = await compare_photos(
        context.services, source, target, collection=collection, threshold=options.threshold
    )
    context.decided(request, compared.decision, compared.similarity)
    return {
        "request_id": request.state.request_id,
        "matched": compared.decision == "match",
        "similarity": compared.similarity,
        "threshold": compared.threshold,
        "source_face": observed_face(compared.source.face, compared.source.analysis),
        "target_face": observed_face(compared.target.face, compared.target.analysis),
        "processing_ms": elapsed_ms(started),
    }


@router.post(
    "/v1/embeddings", response_model=EmbeddingsResponse, openapi_extra=image_body(["image"], EmbeddingsOptions)
)
async def embeddings(request: Request, context: Context, caller: Caller) -> dict[str, Any]:
    """Return the embedding of an image's one selected face."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(EmbeddingsOptions)
    if options.face_selection is not None:
        raise DetectionOverride("The selection of the face belongs to the collection; it cannot be set here.")
    collection = await context.collection(caller, options.collection_id)
    photo = form.one("image").content
    found = await select_face(context.services.embedder, photo, collection.detection if collection else None)
    return {
        "request_id": request.state.request_id,
        "faces": [embedded_face(found.face, found.analysis)],
        "model": model_summary(found.model),
        "processing_ms": elapsed_ms(started),
    }
