"""Which answers are worth a repetition, and after how long."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

REPEATED = frozenset({408, 429, 502, 503, 504})
FIRST_WAIT_S = 0.5
MAX_WAIT_S = 8.0
MAX_ASKED_S = 60.0  # a service that asks for more is not waited for
LEAST_OF_WAIT = 0.75  # clients that were refused together do not come back together


def retry_after_s(response: httpx2.Response) -> float | None:
    """Return how long the service asks to wait, None where it does not say. Seconds or a date, as in RFC 9110."""
    text = response.headers.get("retry-after")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def wait_s(attempt: int, asked_s: float | None) -> float | None:
    """Return how long to wait after `attempt` (0: the first) was refused, None for not to repeat.

    Doubles from 0.5 s to 8 s, or what the service asked for, and a random part more or less.
    """
    if asked_s is not None:
        if asked_s > MAX_ASKED_S:
            return None
        return asked_s * random.uniform(1.0, 2.0 - LEAST_OF_WAIT)
    return min(MAX_WAIT_S, FIRST_WAIT_S * 2.0**attempt) * random.uniform(LEAST_OF_WAIT, 1.0)
