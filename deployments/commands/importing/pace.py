"""How many requests are under way: as many as the service takes without refusing."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from faceserve_client import ConnectionFailed, FaceserveError, Overloaded, Unavailable

T = TypeVar("T")

FIRST = 4
PATIENCE_S = 300.0  # so long a service may be away or refuse before an import gives up
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 15.0


class Pace:
    """Lets `limit` requests run at once: one more after so many answers, half as many after a refusal (AIMD)."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(min(FIRST, most))
        self._running = 0
        self._changed = asyncio.Condition()

    async def send(self, request: Callable[[], Awaitable[T]]) -> T:
        """Return the outcome of `request`, repeated while the service is overloaded or away.

        Raises what it raises otherwise, and the last refusal after `PATIENCE_S`. `request` must be safe to repeat.
        """
        loop = asyncio.get_running_loop()
        began, failures = loop.time(), 0
        while True:
            try:
                async with self._turn():
                    outcome = await request()
            except (Overloaded, Unavailable, ConnectionFailed) as error:
                self._limit = max(1.0, self._limit / 2)
                if loop.time() - began > PATIENCE_S:
                    raise
                await asyncio.sleep(_wait_s(failures, error))
                failures += not isinstance(error, Overloaded)
            else:
                self._limit = min(float(self._most), self._limit + 1 / self._limit)
                return outcome

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._changed:
            await self._changed.wait_for(lambda: self._running < int(self._limit))
            self._running += 1
        try:
            yield
        finally:
            async with self._changed:
                self._running -= 1
                self._changed.notify_all()


def _wait_s(failures: int, error: FaceserveError) -> float:
    asked_s = getattr(error, "retry_after_s", None)
    if isinstance(error, Overloaded) and asked_s is not None:
        return float(asked_s) * random.uniform(0.5, 1.5)
    return min(MAX_WAIT_S, FIRST_WAIT_S * 2.0**failures) * random.uniform(0.5, 1.0)
