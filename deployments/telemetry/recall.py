"""The recall of approximate searches, measured while the service runs: a share of probes is also searched exactly."""

import asyncio
import logging
import random
from collections.abc import Mapping, Sequence
from typing import Any

from deployments.telemetry.metrics import RECALL_SAMPLES, Meters
from store.errors import StoreError
from store.gallery import Gallery
from store.types import SearchOutcome

LOGGER = logging.getLogger("faceserve.recall")
SAME_WITHIN = 1e-5  # similarities this close are the same: several persons may look exactly alike


class RecallSampler:
    """Repeats indexed searches exactly, after they were answered and one at a time."""

    def __init__(self, gallery: Gallery, meters: Meters, share: float = 0.0) -> None:
        self._gallery = gallery
        self._meters = meters
        self._running: asyncio.Task[None] | None = None
        self.share = share

    def consider(self, found: SearchOutcome, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Perhaps repeat the search that `found` answers, called with `args` and `kwargs`, in the background."""
        if found.is_exact or random.random() >= self.share or self.is_busy:
            return
        self._running = asyncio.create_task(self._compare(found, args, kwargs))

    @property
    def is_busy(self) -> bool:
        """Whether a search is being repeated."""
        return self._running is not None and not self._running.done()

    async def finished(self) -> None:
        """Wait for the search under way."""
        if self._running is not None:
            await asyncio.gather(self._running, return_exceptions=True)

    async def close(self) -> None:
        """End the search under way."""
        if self._running is not None:
            self._running.cancel()
        await self.finished()

    async def _compare(self, found: SearchOutcome, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            exact = await self._gallery.search(*args, **kwargs, exactly=True)
        except StoreError as error:  # the collection is gone, or the database is away
            LOGGER.info("A search could not be repeated: %s", error.code)
            return
        for quick, full in zip(found.candidates, exact.candidates, strict=True):
            if full:
                is_same = bool(quick) and quick[0].similarity >= full[0].similarity - SAME_WITHIN
                self._meters.record(RECALL_SAMPLES, 1, "same" if is_same else "missed")
