"""The other deployments as the HTTP layer sees them: typed calls over Serve handles, our own errors back."""

import asyncio
import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

import grpc
from ray.exceptions import RayActorError, RayError, RayTaskError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from deployments.gallery_port import GALLERY_OPERATIONS, GalleryPort
from deployments.ports import AnswerTooLarge, EmbedderResult, Overloaded, Unavailable
from deployments.suspects import Suspects
from deployments.telemetry.metrics import CALL_SECONDS, Meters
from deployments.telemetry.tracing import span
from encoders.errors import ImageRefused
from encoders.types import AnalyzeOptions, ModelDescription

# gRPC, which the throughput profile turns on, bounds its messages; from 1 MB on shared memory is faster as well.
BY_REFERENCE_BYTES = 2**20


class ReplicaDied(Unavailable):
    """The replica that worked on this is gone."""


class RemoteEmbedder:
    """The embedder behind a handle."""

    def __init__(self, handle: DeploymentHandle[Any], meters: Meters) -> None:
        self._handle = handle
        self._meters = meters
        self._by_reference = handle.options(_by_reference=True)
        self._suspects = Suspects()

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`; asks another replica once if the first one dies.

        Raises ImageError, ImageRefused among them where two replicas died with it, Overloaded or Unavailable.
        """
        if self._suspects.is_refused(image):
            raise ImageRefused
        try:
            result = await self._analyze(image, options)
        except ReplicaDied:
            self._suspects.add(image)
            if self._suspects.is_refused(image):
                raise
        except Unavailable:
            pass
        else:
            self._suspects.clear(image)
            return result
        try:
            result = await self._analyze(image, options)
        except ReplicaDied:
            self._suspects.add(image)
            raise
        self._suspects.clear(image)
        return result

    async def describe(self) -> ModelDescription:
        """Return the models that run."""
        model: ModelDescription = await answer(self._handle.describe.remote(), "embedder")
        return model

    async def _analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        handle = self._by_reference if len(image) >= BY_REFERENCE_BYTES else self._handle
        started = time.perf_counter()
        try:
            with span("embedder.analyze") as current:
                current.set_attribute("faceserve.image_bytes", len(image))
                result: EmbedderResult = await answer(handle.analyze.remote(image, options), "embedder")
                return result
        finally:
            self._meters.record(CALL_SECONDS, time.perf_counter() - started, "embedder")


class RemoteExecution:
    """Carries out the gallery's operations behind a handle.

    A read asks another replica once if the first one dies; a write never, since it may have happened.
    """

    def __init__(self, handle: DeploymentHandle[Any], meters: Meters) -> None:
        self._handle = handle
        self._meters = meters

    async def __call__(self, operation: str, args: Sequence[Any], kwargs: Mapping[str, Any], /) -> Any:
        """Return what the gallery's `operation` returns. Raises StoreError, Overloaded or Unavailable."""
        started = time.perf_counter()
        try:
            with span(f"search.{operation}"):
                try:
                    return await answer(self._handle.execute.remote(operation, args, kwargs), "database")
                except Unavailable:
                    if GALLERY_OPERATIONS[operation] == "write":
                        raise
                    return await answer(self._handle.execute.remote(operation, args, kwargs), "database")
        finally:
            self._meters.record(CALL_SECONDS, time.perf_counter() - started, "search")


def remote_gallery(handle: DeploymentHandle[Any], meters: Meters) -> GalleryPort:
    """Return the gallery behind `handle`."""
    return GalleryPort(RemoteExecution(handle, meters))


async def answer(response: Awaitable[Any], part: str) -> Any:
    """Return the result of a handle call.

    Raises the exception that the other side raised, as itself; Overloaded when its queue is full; AnswerTooLarge where
    gRPC refuses the size of a message; Unavailable when `part` died or cannot be reached.
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
    except grpc.aio.AioRpcError as error:  # Serve makes RayErrors of those that say a replica is gone
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            raise AnswerTooLarge from error
        raise Unavailable(part) from error
    except RayActorError as error:
        raise ReplicaDied(part) from error
    except (RayError, RayServeException) as error:
        raise Unavailable(part) from error
