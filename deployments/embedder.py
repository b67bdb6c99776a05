"""The deployment that runs the models."""

import asyncio
from typing import Any

import ray
from ray import serve
from ray.serve import Deployment

from configs.settings import EncoderSettings
from configs.tuning import EmbedderTuning
from deployments.http.problems import status_of
from deployments.inference.worker import InferenceWorker
from deployments.ports import EmbedderResult
from deployments.telemetry.logs import join_serve_log
from deployments.telemetry.loop_lag import watch_loop
from deployments.telemetry.ray_metrics import RayMeters
from encoders.images.decoding import ImageLimits
from encoders.loading import load_encoder
from encoders.types import AnalyzeOptions, ModelDescription


class Embedder:
    """Decodes, detects, aligns and embeds, with one copy of the models per replica."""

    def __init__(self, settings: EncoderSettings) -> None:
        join_serve_log(status_of)
        meters = RayMeters()
        encoder = load_encoder(
            settings.pack,
            models_dir=settings.models_dir.expanduser(),
            provider=settings.provider,
            threads=settings.threads or assigned_cpus(),
            limits=ImageLimits(max_bytes=settings.image.max_bytes, max_pixels=settings.image.max_pixels),
            detection_input=settings.detector_input,
            engine_cache=None if settings.engine_cache is None else settings.engine_cache.expanduser(),
        )
        self._worker = InferenceWorker(encoder, EmbedderTuning(), meters)
        # Serve calls constructors on the replica's loop; a task needs somebody who holds it
        self._watch = asyncio.get_running_loop().create_task(watch_loop(meters))

    def reconfigure(self, config: dict[str, Any]) -> None:
        """Take new knobs without a restart."""
        self._worker.tune(EmbedderTuning.model_validate(config))

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`. Raises ImageError."""
        return await self._worker.analyze(image, options)

    async def describe(self) -> ModelDescription:
        """Return the models that run."""
        return await self._worker.describe()

    async def check_health(self) -> None:
        """Raise when the models are broken; the database is none of this replica's business."""
        await self._worker.check()


def assigned_cpus() -> int:
    """Return the CPUs that Ray gave to this replica, at least 1."""
    resources: dict[str, float] = ray.get_runtime_context().get_assigned_resources()  # type: ignore[no-untyped-call]
    return max(1, int(resources.get("CPU", 1)))


# The class stays itself, so that replicas import it by name; Serve's decorator would hide it.
EMBEDDER: Deployment = serve.deployment(
    name="Embedder",
    ray_actor_options={"num_cpus": 1},
    # One image runs, the others wait here: those that wait at the router make it ask full replicas again and again. On
    # two cores 16 clients got 41 answers a second with 4 places at each of two replicas, 53 with 8. More than these
    # places is no burst but overload, see deployments/http/admission.py.
    max_ongoing_requests=16,
    # Those that arrive at the same moment count as queued until they are given out: with 8, bursts of 16 were refused.
    max_queued_requests=16,
    # how long the router waits before it asks a full replica again; with its default, up to 0.5 s, cores idle while
    # requests wait
    request_router_config={
        "request_router_class": "deployments.routing:LeastBusyRouter",
        "initial_backoff_s": 0.005,
        "backoff_multiplier": 2,
        "max_backoff_s": 0.02,
    },
    health_check_period_s=5,  # given up after three: within 35 s when it no longer answers
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=20,
)(Embedder)
