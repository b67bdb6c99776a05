"""Whether the service can answer. The parts are asked at most once a second, however often clients ask."""

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

from deployments.ports import Overloaded, Services

TIMEOUT_S = 3.0  # below what load balancers wait, and above a busy embedder's event loop
MAX_AGE_S = 1.0  # the operation is open: without this, anybody could keep the database busy


@dataclass(frozen=True, slots=True)
class Health:
    """Which parts answer."""

    embedder: bool
    database: bool

    @property
    def is_ready(self) -> bool:
        return self.embedder and self.database


class HealthCheck:
    """Checks once for all who ask meanwhile, and tells that all is well for `MAX_AGE_S` before it checks again."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._running: asyncio.Task[Health] | None = None
        self._well_at = float("-inf")

    async def check(self) -> Health:
        """Return which parts answer."""
        if time.monotonic() - self._well_at < MAX_AGE_S:
            return Health(True, True)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._ask())
        # shielded: one who leaves does not end the check for the others
        return await asyncio.shield(self._running)

    async def _ask(self) -> Health:
        embedder, database = await asyncio.gather(
            _answers(self._services.embedder.describe()), _answers(self._services.gallery.ping())
        )
        health = Health(embedder, database)
        if health.is_ready:
            self._well_at = time.monotonic()
        return health


async def _answers(probe: Awaitable[Any]) -> bool:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            await probe
    except Overloaded:  # it is there, and busy: to take the service out of rotation would load the others more
        return True
    except Exception:
        return False
    return True
