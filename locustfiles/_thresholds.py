"""What decides the exit code: `FACESERVE_MAX_P95_MS` and `FACESERVE_MAX_FAILURE_RATIO`."""

import logging
import os
from collections.abc import Iterator
from typing import Any

from locust.env import Environment
from locust.runners import WorkerRunner
from locust.stats import RequestStats

LOGGER = logging.getLogger("faceserve.load")
REFUSED = " (429)"  # ends the name under which refused requests are counted


def decide(environment: Environment, **_: Any) -> None:
    """Set the exit code: 1 over a threshold or without a single request, 0 within all of them.

    Without FACESERVE_MAX_FAILURE_RATIO any failure at all is an exit code of 1, which is locust's own rule.
    """
    if isinstance(environment.runner, WorkerRunner) or environment.process_exit_code:
        return
    max_p95_ms, max_failure_ratio = _limit("FACESERVE_MAX_P95_MS"), _limit("FACESERVE_MAX_FAILURE_RATIO")
    broken = list(violations(environment.stats, max_p95_ms, max_failure_ratio))
    for violation in broken:
        LOGGER.error("Over the threshold: %s", violation)
    if broken:
        environment.process_exit_code = 1
    elif max_failure_ratio is not None and not environment.runner.exceptions:
        environment.process_exit_code = 0


def violations(stats: RequestStats, max_p95_ms: float | None, max_failure_ratio: float | None) -> Iterator[str]:
    """Give a sentence for each threshold that is not kept. p95 is each journey's own: a quick one hides no slow one."""
    if stats.total.num_requests == 0:
        yield "no request was made"
    for entry in stats.entries.values():
        p95_ms = entry.get_response_time_percentile(0.95)
        if max_p95_ms is not None and p95_ms > max_p95_ms and not entry.name.endswith(REFUSED):
            yield f"p95 of {entry.name} is {p95_ms:.0f} ms, allowed are {max_p95_ms:.0f} ms"
    if max_failure_ratio is not None and stats.total.fail_ratio > max_failure_ratio:
        yield f"{stats.total.fail_ratio:.2%} of the requests failed, allowed are {max_failure_ratio:.2%}"


def _limit(name: str) -> float | None:
    value = os.environ.get(name)
    return float(value) if value else None
