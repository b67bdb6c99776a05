"""The deployment that holds the connections to PostgreSQL."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve import Deployment

from configs.secrets import read_database_url
from configs.settings import StoreSettings
from configs.tuning import SearchTuning
from deployments.gallery_port import GALLERY_OPERATIONS
from deployments.http.problems import status_of
from deployments.telemetry.logs import join_serve_log
from deployments.telemetry.loop_lag import stop_watching, watch_loop
from deployments.telemetry.metrics import POOL_CONNECTIONS, SEARCHES, STORE_SECONDS
from deployments.telemetry.ray_metrics import RayMeters
from deployments.telemetry.recall import RecallSampler
from deployments.telemetry.tracing import span
from store.gallery import Gallery
from store.upkeep.housekeeping import keep_doing
from store.upkeep.indexing import IndexKeeper

PURGE_EVERY_S = 10.0


class Searcher:
    """Runs every SQL statement of the service."""

    # Serve awaits an async constructor on the replica's own loop, which is where the pool must live.
    async def __init__(self, settings: StoreSettings) -> None:  # type: ignore[misc]
        join_serve_log(status_of)
        tuning = SearchTuning()
        url = read_database_url(os.environ).get_secret_value()
        self._gallery = await Gallery.open(
            url,
            min_connections=settings.min_connections,
            max_connections=settings.max_connections,
            statement_timeout_s=settings.statement_timeout_s,
            ef_search=tuning.ef_search,
            exact_below=tuning.exact_below,
            rerank=tuning.rerank,
            sign_faces=tuning.sign_faces,
        )
        self._meters = RayMeters()
        self._recall = RecallSampler(self._gallery, self._meters)
        self._watch = asyncio.create_task(watch_loop(self._meters, self._record_pool))
        self._chores = [asyncio.create_task(keep_doing(self._gallery.purge, "purge", PURGE_EVERY_S))]
        if settings.builds_indexes:
            self._chores.append(asyncio.create_task(IndexKeeper(url, lambda: self._gallery.settings).run()))

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Take new knobs without a restart."""
        tuning = SearchTuning.model_validate(config)
        await self._gallery.reconfigure(
            ef_search=tuning.ef_search,
            exact_below=tuning.exact_below,
            rerank=tuning.rerank,
            sign_faces=tuning.sign_faces,
        )
        self._recall.share = tuning.recall_samples

    async def execute(self, operation: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what the gallery's `operation` returns. Raises StoreError."""
        if operation not in GALLERY_OPERATIONS:
            raise ValueError(f"expected an operation of the gallery, found {operation!r}")
        started = time.perf_counter()
        try:
            with span(f"store.{operation}"):
                result = await getattr(self._gallery, operation)(*args, **kwargs)
        finally:  # what fails after the time it is given is what an operator looks for
            self._meters.record(STORE_SECONDS, time.perf_counter() - started, operation)
        if operation == "search":
            self._meters.record(SEARCHES, 1, "exact" if result.is_exact else "indexed")
            self._recall.consider(result, args, kwargs)
        return result

    def _record_pool(self) -> None:
        usage = self._gallery.pool_usage
        self._meters.record(POOL_CONNECTIONS, usage.open, "open")
        self._meters.record(POOL_CONNECTIONS, usage.in_use, "in_use")
        self._meters.record(POOL_CONNECTIONS, usage.waiting, "waiting")

    async def __del__(self) -> None:
        """Close the connections when Serve retires the replica."""
        await stop_watching(self._watch)
        await self._recall.close()
        for chore in self._chores:
            await stop_watching(chore)
        await self._gallery.close()


SEARCHER: Deployment = serve.deployment(
    name="Search",
    ray_actor_options={"num_cpus": 0},
    max_ongoing_requests=32,
    max_queued_requests=256,
    health_check_period_s=5,  # given up after three: within 35 s when it no longer answers
    health_check_timeout_s=10,
    graceful_shutdown_timeout_s=20,
)(Searcher)
