"""The service itself: health, models, system."""

import asyncio
import importlib.metadata
import os
import platform
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from deployments.decisions.recognition import match_threshold
from deployments.http.access.requirement import requires
from deployments.http.context import ApiContext, Caller, Context
from deployments.http.openapi import error_responses
from deployments.http.presentation import model_components, model_license, model_summary
from deployments.http.responses import HealthResponse, ModelsResponse, SystemResponse

VERSION = importlib.metadata.version("faceserve")

open_router = APIRouter(tags=["system"])
router = APIRouter(tags=["system"], dependencies=requires("system:read"), responses=error_responses())


@open_router.get(
    "/v1/health",
    response_model=HealthResponse,
    responses={503: {"model": HealthResponse, "description": "Requests cannot be served right now."}},
)
async def health(request: Request, context: Context) -> JSONResponse:
    """Tell whether the service can answer: it asks the models and the database, at most once a second."""
    health = await context.health.check()
    body = {
        "request_id": request.state.request_id,
        "status": "ready" if health.is_ready else "not_ready",
        "version": VERSION,
        "auth_enabled": True,
        "components": {
            "embedder": "ready" if health.embedder else "unavailable",
            "database": "ready" if health.database else "unavailable",
        },
    }
    return JSONResponse(body, status_code=200 if health.is_ready else 503)


@router.get("/v1/models", response_model=ModelsResponse)
async def models(request: Request, context: Context) -> dict[str, Any]:
    """Return the models that run, and their licence."""
    model = await context.services.embedder.describe()
    return {
        "request_id": request.state.request_id,
        "models": model_components(model),
        "execution_provider": model.provider,
        "license": model_license(model),
        "embedding_contract_id": model.contract.id,
        "default_threshold": match_threshold(model, context.services.live.tuning),
    }


@router.get("/v1/system", response_model=SystemResponse)
async def system(request: Request, context: Context, caller: Caller) -> dict[str, Any]:
    """Return what runs, on what, and with which limits."""
    model, statistics = await asyncio.gather(
        context.services.embedder.describe(), context.services.gallery.statistics(caller.tenant)
    )
    return {
        "request_id": request.state.request_id,
        "server_version": VERSION,
        "os": platform.platform(),
        "architecture": platform.machine(),
        "cpu": {"logical_cores": os.cpu_count()},
        "runtime": {"python": platform.python_version()} | _versions("ray", "onnxruntime", "insightface"),
        "execution_provider": model.provider,
        "model": model_summary(model),
        "database": {"backend": "postgresql", "status": "ok"},
        "data": {},
        "models": {"pack": model.pack},
        "stats": {
            "collections": statistics.collections,
            "persons": statistics.persons,
            "faces": statistics.faces,
        },
        "search": {"backend": "pgvector", "profile": "fp32_v1"},
        "api_key": {"authentication_enabled": True, "configured": True},
        "safe_config": _limits(context),
        "recent_errors": context.outcomes.failures,
    }


def _limits(context: ApiContext) -> dict[str, Any]:
    settings, tuning = context.settings, context.services.live.tuning
    return settings.model_dump() | tuning.model_dump()


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # onnxruntime is onnxruntime-gpu on a GPU
            continue
    return found
