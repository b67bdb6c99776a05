"""The service itself: health, models, system."""

import asyncio
import dataclasses
import importlib.metadata
import os
import platform
from typing import Any, get_args

from fastapi import APIRouter, Response

from deployments.decisions.recognition import SEARCH_PROFILE, match_threshold
from deployments.http.access.requirement import requires
from deployments.http.context import ApiContext, Caller, Context
from deployments.http.openapi import error_responses
from deployments.http.requests.collections import SearchProfile
from deployments.http.responses.models import ModelSummary
from deployments.http.responses.system import HealthResponse, ModelsResponse, SystemResponse, TrafficMinute
from store.types import Statistics

VERSION = importlib.metadata.version("faceserve")

open_router = APIRouter(tags=["system"])
router = APIRouter(tags=["system"], dependencies=requires("system:read"), responses=error_responses())


@open_router.get(
    "/v1/health",
    responses={503: {"model": HealthResponse, "description": "Requests cannot be served right now."}},
)
async def health(response: Response, context: Context) -> HealthResponse:
    """Tell whether the service can answer: it asks the models and the database, at most once a second."""
    health = await context.health.check()
    response.status_code = 200 if health.is_ready else 503
    return HealthResponse.of(health, VERSION)


@router.get("/v1/models")
async def models(context: Context) -> ModelsResponse:
    """Return the models that run, and their licence."""
    model = await context.services.embedder.describe()
    return ModelsResponse.of(model, match_threshold(model, context.services.tuning_source.tuning))


@router.get("/v1/system")
async def system(context: Context, caller: Caller) -> SystemResponse:
    """Return what runs, on what, and with which limits."""
    model, statistics = await asyncio.gather(
        context.services.embedder.describe(),
        context.services.gallery.statistics(caller.tenant, granted=caller.collections),
    )
    return SystemResponse(
        server_version=VERSION,
        os=platform.platform(),
        architecture=platform.machine(),
        cpu={"logical_cores": os.cpu_count()},
        runtime=_runtime(),
        execution_provider=model.provider,
        model=ModelSummary.of(model),
        database={"backend": "postgresql", "status": "ok", "quick_check": "ok"},
        data={},
        models={"pack": model.pack},
        stats=_counts(statistics),
        search={"backend": "pgvector", "profile": SEARCH_PROFILE, "profiles": list(get_args(SearchProfile))},
        api_key={"authentication_enabled": True, "configured": True},
        safe_config=_limits(context),
        recent_errors=context.outcomes.failures(caller.tenant),
        traffic=[TrafficMinute.model_validate(minute) for minute in context.outcomes.traffic.minutes],
    )


def _limits(context: ApiContext) -> dict[str, Any]:
    settings, tuning = context.settings, context.services.tuning_source.tuning
    return settings.model_dump() | tuning.model_dump()


def _counts(statistics: Statistics) -> dict[str, int]:
    """Return the counts under our names, and under those that clients of InsightFace Server 0.2 read."""
    ours = dataclasses.asdict(statistics)
    return ours | {f"{name.removesuffix('s')}_count": count for name, count in ours.items()}


def _runtime() -> dict[str, str]:
    versions = _versions("ray", "onnxruntime", "onnxruntime-gpu", "insightface")
    onnx_runtime = versions.get("onnxruntime") or versions.get("onnxruntime-gpu")
    named = {} if onnx_runtime is None else {"onnx_runtime_version": onnx_runtime}
    return {"python": platform.python_version()} | versions | named


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # onnxruntime is onnxruntime-gpu on a GPU
            continue
    return found
