"""The other deployments as the HTTP layer sees them: typed calls over Serve handles, our own errors back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.ports import GALLERY_OPERATIONS, GALLERY_READS, EmbedderResult, Overloaded, Unavailable
from deployments.telemetry.metrics import CALL_SECONDS, Meters
from deployments.telemetry.tracing import span
from encoders.types import AnalyzeOptions, ModelDescription
from store.gallery import Gallery

# gRPC, which the throughput profile turns on, takes messages of 4 MB; from 1 MB on shared memory is faster.
BY_REFERENCE_BYTES = 2**20


class RemoteEmbedder:
    """The embedder behind a handle."""

    def __init__(self, handle: DeploymentHandle[Any], meters: Meters) -> None:
        self._handle = handle
        self._meters = meters
        self._by_reference = handle.options(_by_reference=True)

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`; asks another replica once if the first one dies. Raises ImageError."""
        try:
            return await self._analyze(image, options)
        except Unavailable:
            return await self._analyze(image, options)

    async def describe(self) -> ModelDescription:
        """Return the models that run."""
        return cast(ModelDescription, await answer(self._handle.describe.remote(), "embedder"))

    async def _analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        handle = self._by_reference if len(image) >= BY_REFERENCE_BYTES else self._handle
        started = time.perf_counter()
        try:
            with span("embedder.analyze") as current:
                current.set_attribute("faceserve.image_bytes", len(image))
                return cast(EmbedderResult, await answer(handle.analyze.remote(image, options), "embedder"))
        finally:
            self._meters.record(CALL_SECONDS, time.perf_counter() - started, "embedder")


class RemoteGallery:
    """The gallery behind a handle. Every name in GALLERY_OPERATIONS is a method with the gallery's own signature.

    A read asks another replica once if the first one dies; a write never, since it may have happened.
    """

    def __init__(self, handle: DeploymentHandle[Any], meters: Meters) -> None:
        self._handle = handle
        self._meters = meters

    def __getattr__(self, operation: str) -> Callable[..., Awaitable[Any]]:
        if operation not in GALLERY_OPERATIONS:
            raise AttributeError(operation)

        async def call(*args: Any, **kwargs: Any) -> Any:
            started = time.perf_counter()
            try:
                with span(f"search.{operation}"):
                    try:
                        return await answer(self._handle.execute.remote(operation, args, kwargs), "database")
                    except Unavailable:
                        if operation not in GALLERY_READS:
                            raise
                        return await answer(self._handle.execute.remote(operation, args, kwargs), "database")
            finally:
                self._meters.record(CALL_SECONDS, time.perf_counter() - started, "search")

        return call


def remote_gallery(handle: DeploymentHandle[Any], meters: Meters) -> Gallery:
    """Return the gallery behind `handle`, typed as what it stands for, so that every call is checked."""
    return cast(Gallery, RemoteGallery(handle, meters))


async def answer(response: Awaitable[Any], part: str) -> Any:
    """Return the result of a handle call.

    Raises the exception that the other side raised, as itself; Overloaded when its queue is full; Unavailable when
    `part` died or cannot be reached.
    """
    try:
        return await response
    except asyncio.CancelledError:
        cancel = getattr(response, "cancel", None)
        if cancel is not None:
            cancel()
        raise
    except BackPressureError as error:
        raise Overloaded() from error
    except RayTaskError as error:
        # Ray makes a class of both; its text is the remote traceback, which no client may read
        raise error.cause from None
    except (RayError, RayServeException) as error:
        raise Unavailable(part) from error
