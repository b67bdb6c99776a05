"""The deployment that holds the connections to PostgreSQL."""

import asyncio
import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ray import serve
from ray.serve import Deployment

from configs.secrets import read_database_url
from configs.settings import StoreSettings
from configs.tuning import SearchTuning
from deployments.ports import GALLERY_OPERATIONS
from store.gallery import Gallery
from store.indexing import IndexKeeper


class Searcher:
    """Runs every SQL statement of the service."""

    # Serve awaits an async constructor on the replica's own loop, which is where the pool must live.
    async def __init__(self, settings: StoreSettings) -> None:  # type: ignore[misc]
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
        )
        self._keeper: asyncio.Task[None] | None = None
        if settings.builds_indexes:
            self._keeper = asyncio.create_task(IndexKeeper(url, self._gallery).run())

    async def reconfigure(self, config: dict[str, Any]) -> None:
        """Take new knobs without a restart."""
        tuning = SearchTuning.model_validate(config)
        await self._gallery.reconfigure(
            ef_search=tuning.ef_search, exact_below=tuning.exact_below, rerank=tuning.rerank
        )

    async def execute(self, operation: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Return what the gallery's `operation` returns. Raises StoreError."""
        if operation not in GALLERY_OPERATIONS:
            raise ValueError(f"expected an operation of the gallery, found {operation!r}")
        return await getattr(self._gallery, operation)(*args, **kwargs)

    async def __del__(self) -> None:
        """Close the connections when Serve retires the replica."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
        await self._gallery.close()


SEARCHER: Deployment = serve.deployment(
    name="Search",
    ray_actor_options={"num_cpus": 0},
    max_ongoing_requests=32,
    max_queued_requests=256,
    health_check_period_s=10,
    health_check_timeout_s=30,
    graceful_shutdown_timeout_s=20,
)(Searcher)
