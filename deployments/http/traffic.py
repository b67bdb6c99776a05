"""How much one ingress replica answered in the last minutes, and how fast."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

MINUTES = 10
KEPT_TIMES = 2_000  # of a minute, the latest: 16 kB; a percentile of more is no better


@dataclass(frozen=True, slots=True)
class Minute:
    """What was answered in the minute that began at `start`. The percentiles are None where nothing was.

    `failed`: answers with a status of 500 or more.
    """

    start: datetime
    requests: int
    failed: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(slots=True)
class _Counted:
    number: int
    requests: int = 0
    failed: int = 0
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_TIMES))


class Traffic:
    """Counts answers by the minute and forgets what is older than `MINUTES`."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._minutes: deque[_Counted] = deque(maxlen=MINUTES)

    def record(self, status: int, seconds: float) -> None:
        """Count an answer that took `seconds`."""
        number = int(self._clock() // 60)
        if not self._minutes or self._minutes[-1].number != number:
            self._minutes.append(_Counted(number))
        minute = self._minutes[-1]
        minute.requests += 1
        minute.failed += status >= 500
        minute.seconds.append(seconds)

    @property
    def minutes(self) -> list[Minute]:
        """The last `MINUTES` minutes, oldest first, those without an answer too."""
        now = int(self._clock() // 60)
        counted = {minute.number: minute for minute in self._minutes}
        return [_told(counted.get(number, _Counted(number))) for number in range(now - MINUTES + 1, now + 1)]


def _told(minute: _Counted) -> Minute:
    ordered = sorted(minute.seconds)
    return Minute(
        start=datetime.fromtimestamp(minute.number * 60, UTC),
        requests=minute.requests,
        failed=minute.failed,
        p50_ms=_percentile_ms(ordered, 0.5),
        p95_ms=_percentile_ms(ordered, 0.95),
    )


def _percentile_ms(ordered: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank percentile of `ordered` seconds in milliseconds."""
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1e3, 1) if ordered else None
