"""Faces of images that are not stored: detect, compare, embeddings."""

import time

from fastapi import APIRouter, Request

from configs.tuning import MAX_FACES
from deployments.decisions.compare import compare_photos
from deployments.decisions.photos import select_face
from deployments.decisions.recognition import all_faces_options
from deployments.http.access.requirement import requires
from deployments.http.bodies.uploads import read_images
from deployments.http.context import Caller, Context, elapsed_ms
from deployments.http.openapi import error_responses, image_body
from deployments.http.problems import DetectionOverride
from deployments.http.requests.faces import CompareOptions, DetectOptions, EmbeddingsOptions
from deployments.http.responses.faces import CompareResponse, DetectResponse, EmbeddingsResponse

router = APIRouter(tags=["faces"], dependencies=requires("faces:read"), responses=error_responses())


@router.post("/v1/detect", openapi_extra=image_body(["image"], DetectOptions))
async def detect(request: Request, context: Context, caller: Caller) -> DetectResponse:
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
    return DetectResponse.of(analysis, elapsed_ms(started))


@router.post("/v1/compare", openapi_extra=image_body(["source", "target"], CompareOptions))
async def compare(request: Request, context: Context, caller: Caller) -> CompareResponse:
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
    return CompareResponse.of(compared, elapsed_ms(started))


@router.post("/v1/embeddings", openapi_extra=image_body(["image"], EmbeddingsOptions))
async def embeddings(request: Request, context: Context, caller: Caller) -> EmbeddingsResponse:
    """Return the embedding of an image's one selected face."""
    started = time.perf_counter()
    form = await read_images(request, ["image"])
    options = form.options(EmbeddingsOptions)
    if options.face_selection is not None:
        raise DetectionOverride("The selection of the face belongs to the collection; it cannot be set here.")
    collection = await context.collection(caller, options.collection_id)
    photo = form.one("image").content
    found = await select_face(context.services.embedder, photo, collection.detection if collection else None)
    return EmbeddingsResponse.of([found], elapsed_ms(started))
