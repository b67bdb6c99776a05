"""Embeds the faces of whichever images wait, together, as soon as the thread is free: no batch is waited for."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Crops = Sequence[npt.NDArray[np.uint8]]  # aligned faces, (112, 112, 3)
Embeddings = Sequence[npt.NDArray[np.float32]]  # (512,) each


@dataclass(frozen=True, eq=False, slots=True)
class Embedded:
    """One image's embeddings, and how long the call that made them took, the batch's other faces included."""

    embeddings: Embeddings
    took_s: float


@dataclass(frozen=True, eq=False, slots=True)
class _Image:
    crops: Crops
    answer: asyncio.Future[Embedded]


class FaceBatcher:
    """Runs `embed` in `executor` on the faces of all images that wait by then, up to `largest` at once.

    One batch runs at a time, and the next begins when it is done: what came meanwhile is in it. An image with more
    faces than `largest` has a batch to itself. Images wait here no longer than their callers do, who bound the queue:
    a replica takes so many requests and no more.
    """

    def __init__(
        self,
        embed: Callable[[Crops], Embeddings],
        executor: Executor,
        largest: int,
        on_batch: Callable[[int], None] = lambda faces: None,
    ) -> None:
        """`on_batch` is told, on the event loop, how many faces each batch had."""
        self._embed = embed
        self._executor = executor
        self._largest = largest
        self._on_batch = on_batch
        self._waiting: deque[_Image] = deque()
        self._batch: Sequence[_Image] = ()  # those that are embedded at present
        self._runs = False

    async def embed(self, crops: Crops) -> Embedded:
        """Return the embedding of each face of one image. Raises what `embed` raises for these faces alone."""
        if not crops:
            return Embedded((), 0.0)
        image = _Image(crops, asyncio.get_running_loop().create_future())
        self._waiting.append(image)
        if not self._runs:
            self._run()
        return await image.answer

    def _run(self) -> None:
        try:
            running = asyncio.get_running_loop().run_in_executor(self._executor, self._embed_waiting)
        except RuntimeError:  # the executor is shut down
            self._cancel()
            return
        self._runs = True
        running.add_done_callback(self._deliver)

    def _cancel(self) -> None:
        while self._waiting:
            self._waiting.popleft().answer.cancel()

    def _embed_waiting(self) -> list[tuple[_Image, Embedded | Exception]]:
        self._batch = batch = self._next_batch()
        if not batch:
            return []
        started = time.perf_counter()
        try:
            embeddings = self._embed([crop for image in batch for crop in image.crops])
        except Exception as exc:
            if len(batch) == 1:
                return [(batch[0], exc)]
            return [(image, self._embed_alone(image)) for image in batch]
        took_s = time.perf_counter() - started
        answers: list[tuple[_Image, Embedded | Exception]] = []
        start = 0
        for image in batch:
            answers.append((image, Embedded(embeddings[start : start + len(image.crops)], took_s)))
            start += len(image.crops)
        return answers

    def _next_batch(self) -> list[_Image]:
        batch: list[_Image] = []
        faces = 0
        while self._waiting and (not batch or faces + len(self._waiting[0].crops) <= self._largest):
            image = self._waiting.popleft()
            if not image.answer.cancelled():  # nobody waits for it any more
                batch.append(image)
                faces += len(image.crops)
        return batch

    def _embed_alone(self, image: _Image) -> Embedded | Exception:
        """Return one image's answer: a batch fails as a whole, and the images beside the bad one must not."""
        started = time.perf_counter()
        try:
            return Embedded(self._embed(image.crops), time.perf_counter() - started)
        except Exception as exc:
            return exc

    def _deliver(self, running: asyncio.Future[list[tuple[_Image, Embedded | Exception]]]) -> None:
        self._runs = False
        if running.cancelled():  # the executor is shut down
            self._cancel()
            return
        batch, self._batch = self._batch, ()
        fault = running.exception()
        try:
            if fault is None:
                self._answer(running.result())
        finally:
            for image in batch:  # whatever happened: nobody waits until the time of their request is over
                if not image.answer.done():
                    image.answer.set_exception(RuntimeError(f"the batch ended with {fault!r} and no answer"))
            if self._waiting:
                self._run()

    def _answer(self, answers: Sequence[tuple[_Image, Embedded | Exception]]) -> None:
        for image, answer in answers:
            if image.answer.done():
                continue
            if isinstance(answer, Exception):
                image.answer.set_exception(answer)
            else:
                image.answer.set_result(answer)
        if answers:
            self._on_batch(sum(len(image.crops) for image, _ in answers))
