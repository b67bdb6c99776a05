"""How late an event loop wakes up. That shows whatever blocks the loop."""

import asyncio
import contextlib
from collections.abc import Callable

from deployments.telemetry.metrics import LOOP_LAG_SECONDS, Meters

LOOK_EVERY_S = 0.25


async def watch_loop(meters: Meters, also: Callable[[], None] | None = None) -> None:
    """Measure the running loop's lag until cancelled, and call `also` each time."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LOOK_EVERY_S
        await asyncio.sleep(LOOK_EVERY_S)
        meters.record(LOOP_LAG_SECONDS, max(0.0, loop.time() - due))
        if also is not None:
            also()


async def stop_watching(task: "asyncio.Task[None]") -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
