"""Embedders that fail, or wait until they are let go."""

import asyncio

from deployments.inference.worker import InferenceWorker
from deployments.ports import EmbedderResult
from encoders.types import AnalyzeOptions, ModelDescription


class Failing:
    """An embedder that cannot see."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        raise self._error

    async def describe(self) -> ModelDescription:
        raise self._error


class Held:
    """An embedder that looks at an image once it is let go."""

    def __init__(self, worker: InferenceWorker) -> None:
        self._worker = worker
        self.waiting = asyncio.Event()
        self.let_go = asyncio.Event()

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        self.waiting.set()
        await self.let_go.wait()
        return await self._worker.analyze(image, options)

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()
