"""One encoder behind one thread: the embedder without Ray."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from configs.tuning import EmbedderTuning
from deployments.ports import Seen
from encoders.types import AnalyzeOptions, Encoder, ModelDescription

CHECK_AFTER_IDLE_S = 30.0  # an answer younger than this shows as much as a check would


class InferenceWorker:
    """Analyses images one after the other in a thread of its own, so that the event loop stays free."""

    def __init__(self, encoder: Encoder, tuning: EmbedderTuning) -> None:
        self._encoder = encoder
        self._tuning = tuning
        # one thread: ONNX Runtime brings its own, and a second image at once would only share the same cores
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inference")
        self._answered_at = time.monotonic()

    def tune(self, tuning: EmbedderTuning) -> None:
        """Use `tuning` from the next image on."""
        self._tuning = tuning

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> Seen:
        """Return the faces of `image`. Raises ImageError."""
        tuned = with_defaults(options, self._tuning)
        loop = asyncio.get_running_loop()
        analysis = await loop.run_in_executor(self._thread, self._encoder.analyze, image, tuned)
        self._answered_at = time.monotonic()
        return Seen(analysis, self._encoder.model)

    async def describe(self) -> ModelDescription:
        """Return the models that run."""
        return self._encoder.model

    async def check(self) -> None:
        """Raise EncoderBroken when the models no longer answer as they did at start."""
        if time.monotonic() - self._answered_at < CHECK_AFTER_IDLE_S:
            return
        await asyncio.get_running_loop().run_in_executor(self._thread, self._encoder.check)
        self._answered_at = time.monotonic()

    def close(self) -> None:
        """Let the image in progress finish, and drop those that wait."""
        self._thread.shutdown(wait=True, cancel_futures=True)


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
