"""Faces of images that are not stored: detect, compare, embeddings."""

import time
from typing import Any

from fastapi import APIRouter, Request

from deployments.decisions.errors import NoFaceFound, UnusableImage
from deployments.decisions.recognition import all_faces_options, match_threshold, similarity, single_face_options
from deployments.decisions.review import Photo
from deployments.decisions.side_by_side import side_by_side
from deployments.http.access.requirement import requires
from deployments.http.bodies.uploads import read_images
from deployments.http.context import Caller, Context
from deployments.http.openapi import error_responses, image_body
from deployments.http.presentation import embedded_face, model_summary, observed_face
from deployments.http.problems import DetectionOverride
from deployments.http.responses import CompareResponse, DetectResponse, EmbeddingsResponse
from deployments.http.schemas import CompareOptions, DetectOptions, EmbeddingsOptions
from deployments.ports import EmbedderPort, Seen, Unavailable
from encoders.errors import ImageError
from encoders.types import AnalyzeOptions, Face

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
    source, target = form.one("source"), form.one("target")
    collection = await context.collection(caller, options.collection_id)
    analyze = single_face_options(collection.detection if collection else None)
    embedder = context.services.embedder
    seen_source, seen_target = await side_by_side(
        _see(embedder, "source", source, analyze), _see(embedder, "target", target, analyze)
    )
    if seen_source.model.contract.id != seen_target.model.contract.id:  # while a new pack is rolled out
        raise Unavailable("embedder")
    source_face, target_face = the_face(seen_source, "source"), the_face(seen_target, "target")
    assert source_face.embedding is not None
    assert target_face.embedding is not None
    cosine = similarity(source_face.embedding, target_face.embedding)
    threshold = options.threshold
    if threshold is None:
        default = match_threshold(seen_source.model, context.services.live.tuning)
        threshold = default if collection is None else collection.threshold
    context.decided(request, "match" if cosine >= threshold else "no_match", cosine)
    return {
        "request_id": request.state.request_id,
        "matched": cosine >= threshold,
        "similarity": cosine,
        "threshold": threshold,
        "source_face": observed_face(source_face, seen_source.analysis),
        "target_face": observed_face(target_face, seen_target.analysis),
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
    analyze = single_face_options(collection.detection if collection else None)
    seen = await context.services.embedder.analyze(form.one("image").content, analyze)
    return {
        "request_id": request.state.request_id,
        "faces": [embedded_face(the_face(seen), seen.analysis)],
        "model": model_summary(seen.model),
        "processing_ms": elapsed_ms(started),
    }


def the_face(seen: Seen, name: str = "image") -> Face:
    """Return the face that was selected. Raises NoFaceFound."""
    if not seen.analysis.faces:
        raise NoFaceFound(name)
    return seen.analysis.faces[0]


def elapsed_ms(started: float) -> float:
    """Return the milliseconds since `started`, a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 3)


async def _see(embedder: EmbedderPort, name: str, image: Photo, options: AnalyzeOptions) -> Seen:
    try:
        return await embedder.analyze(image.content, options)
    except ImageError as error:
        raise UnusableImage(name, error) from error
