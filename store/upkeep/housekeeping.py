"""Work that nobody waits for, done again and again in the background."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from store.errors import StoreUnavailable

MAX_DOUBLINGS = 5  # of the pause between steps, while they fail

logger = logging.getLogger(__name__)


async def keep_doing(step: Callable[[], Awaitable[object]], name: str, interval_s: float) -> None:
    """Take a `step` every `interval_s` until cancelled; after failures less and less often, as steps may cost much."""
    failures = 0
    while True:
        try:
            await step()
            failures = 0
        except StoreUnavailable as exc:
            failures += 1
            logger.warning("The %s waits for the database: %r", name, exc.__cause__)
        except Exception:  # the service answers without it; a later step may do what this one could not
            failures += 1
            logger.exception("The %s failed", name)
        await asyncio.sleep(interval_s * 2 ** min(failures, MAX_DOUBLINGS))
