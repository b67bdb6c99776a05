"""One encoder behind threads of its own: the embedder without Ray."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from configs.tuning import EmbedderTuning
from deployments.inference.batching import FaceBatcher
from deployments.ports import EmbedderResult
from deployments.telemetry.image_meters import record_batch, record_image, record_waiting
from deployments.telemetry.metrics import Meters, NoMeters
from deployments.telemetry.tracing import trace_image
from encoders.errors import ImageError
from encoders.types import Analysis, AnalyzeOptions, Encoder, ModelDescription

Found = TypeVar("Found")

CHECK_AFTER_IDLE_S = 30.0  # an answer younger than this shows as much as a check would
# An image that could not be decoded shows that the thread works, not that the models do. While such images come, a
# check waits behind up to 16 of them and may miss its 10 s, which is why it comes less often then.
CHECK_AFTER_BAD_IMAGES_S = 300.0


class InferenceWorker:
    """Analyses images off the event loop, and embeds the faces of those that wait together where that pays."""

    def __init__(self, encoder: Encoder, tuning: EmbedderTuning, meters: Meters | None = None) -> None:
        self._encoder = encoder
        self._tuning = tuning
        self._meters = meters or NoMeters()
        self._accepted = 0  # images that wait or run
        self._stages = stages = encoder.stages
        # On a CPU one thread does it all: the runtime brings its own, and a second image at once would only share the
        # same cores. On a GPU the next images are decoded while it embeds.
        self._image_threads = ThreadPoolExecutor(stages.looks_at_once if stages else 1, thread_name_prefix="image")
        is_shared = stages is None or stages.looks_at_once == 1
        self._face_thread = self._image_threads if is_shared else ThreadPoolExecutor(1, thread_name_prefix="embed")
        self._batcher = (
            FaceBatcher(stages.embed, self._face_thread, stages.largest_batch, partial(record_batch, self._meters))
            if stages
            else None
        )
        self._answered_at = self._refused_at = time.monotonic()

    def tune(self, tuning: EmbedderTuning) -> None:
        """Use `tuning` from the next image on."""
        self._tuning = tuning

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        """Return the faces of `image`. Raises ImageError."""
        tuned = with_defaults(options, self._tuning)
        accepted_at = time.perf_counter()
        self._count(1)
        try:
            analysis = await self._analyze(image, tuned)
        except ImageError:
            self._refused_at = time.monotonic()
            raise
        finally:
            self._count(-1)
        self._answered_at = time.monotonic()
        took_s = (analysis.decode_ms + analysis.detect_ms + analysis.embed_ms) / 1e3
        times = {"waited_s": max(0.0, time.perf_counter() - accepted_at - took_s), "took_s": took_s}
        record_image(self._meters, analysis, **times)
        trace_image(analysis, **times)
        return EmbedderResult(analysis, self._encoder.model, waits=times["waited_s"] / max(took_s, 1e-3))

    async def describe(self) -> ModelDescription:
        """Return the models that run."""
        return self._encoder.model

    async def check(self) -> None:
        """Raise EncoderBroken when the models no longer answer as they did at start."""
        now = time.monotonic()
        unproven_s = now - self._answered_at
        is_busy = now - self._refused_at < CHECK_AFTER_IDLE_S
        if unproven_s < (CHECK_AFTER_BAD_IMAGES_S if is_busy else CHECK_AFTER_IDLE_S):
            return
        await asyncio.get_running_loop().run_in_executor(self._face_thread, self._encoder.check)
        self._answered_at = time.monotonic()

    async def _analyze(self, image: bytes, options: AnalyzeOptions) -> Analysis:
        if self._stages is None or self._batcher is None:
            analysis = await self._in_thread(self._encoder.analyze, image, options)
            record_batch(self._meters, sum(face.embedding is not None for face in analysis.faces))
            return analysis
        sighting = await self._in_thread(self._stages.find, image, options)
        embedded = await self._batcher.embed(sighting.crops)
        return sighting.embedded(embedded.embeddings, embedded.took_s * 1e3)

    async def _in_thread(
        self, work: Callable[[bytes, AnalyzeOptions], Found], image: bytes, options: AnalyzeOptions
    ) -> Found:
        return await asyncio.get_running_loop().run_in_executor(self._image_threads, work, image, options)

    def _count(self, change: int) -> None:
        self._accepted += change
        record_waiting(self._meters, self._accepted - 1)

    def close(self) -> None:
        """Let the images in progress finish, and drop those that wait."""
        self._image_threads.shutdown(wait=True, cancel_futures=True)
        self._face_thread.shutdown(wait=True, cancel_futures=True)


def with_defaults(options: AnalyzeOptions, tuning: EmbedderTuning) -> AnalyzeOptions:
    """Return `options` with what they leave open filled in, and held to the limits of `tuning`."""
    return replace(
        options,
        max_faces=min(options.max_faces, tuning.max_faces),
        detection_threshold=(
            tuning.detection_threshold if options.detection_threshold is None else options.detection_threshold
        ),
        nms_threshold=tuning.nms_threshold if options.nms_threshold is None else options.nms_threshold,
    )
