"""Waiting for what happens elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[object]], deadline_s: float = 20.0) -> None:
    """Return once the condition holds. Raises TimeoutError."""
    async with asyncio.timeout(deadline_s):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)
