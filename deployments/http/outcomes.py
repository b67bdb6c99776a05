"""What is recorded of a request once it is over: measurements, one log line, and the last failures.

A log line says who (a keyed hash of the tenant), what and how long. It never has an image, an embedding, a token or a
person's name.
"""

import hashlib
import hmac
import logging
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.types import Scope

from deployments.http.traffic import Traffic
from deployments.telemetry.metrics import REQUEST_SECONDS, REQUESTS, Meters

LOGGER = logging.getLogger("faceserve.access")
CLIENT_LEFT = 499  # nobody was answered; nginx's word for it
KEPT_FAILURES = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. `operation`: the name of its route, `none` where no route fits; `code`: of the error."""

    request_id: str
    operation: str
    status: int
    code: str
    seconds: float
    tenant: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer with a status of 500 or more."""

    failed_at: datetime
    outcome: Outcome

    def told_to(self, tenant: str) -> dict[str, Any]:
        """Return what somebody of `tenant` may know of it."""
        told = {
            "time": self.failed_at.isoformat(timespec="seconds"),
            "operation": self.outcome.operation,
            "code": self.outcome.code,
        }
        return told | {"request_id": self.outcome.request_id} if self.outcome.tenant == tenant else told


class Outcomes:
    """Records every request of one ingress replica."""

    def __init__(self, meters: Meters, *, logs: bool, seed: bytes) -> None:
        """`seed`: what the hash of tenants is keyed with, lest a list of customers' names undo it."""
        self._meters = meters
        self._logs = logs
        self._tenant_key = hashlib.sha256(b"faceserve tenant v1\0" + seed).digest()
        self._failures: deque[Failure] = deque(maxlen=KEPT_FAILURES)
        self.traffic = Traffic()

    def failures(self, tenant: str) -> list[dict[str, Any]]:
        """Return the last answers with a status of 500 or more, oldest first: when, which operation, which code.

        Those to `tenant` have the request's id too, which its client may have chosen.
        """
        return [failure.told_to(tenant) for failure in self._failures]

    def record(self, outcome: Outcome) -> None:
        """Record `outcome`."""
        self._meters.record(REQUESTS, 1, outcome.operation, str(outcome.status), outcome.code)
        self._meters.record(REQUEST_SECONDS, outcome.seconds, outcome.operation)
        self.traffic.record(outcome.status, outcome.seconds)
        if outcome.status >= 500:
            self._failures.append(Failure(datetime.now(UTC), outcome))
        if self._logs:
            LOGGER.info(
                "%s %d, request %s",
                outcome.operation,
                outcome.status,
                outcome.request_id,
                extra=self._to_log_fields(outcome),
            )

    def _to_log_fields(self, outcome: Outcome) -> dict[str, Any]:
        return {
            "operation": outcome.operation,
            "status": outcome.status,
            "code": outcome.code,
            "milliseconds": round(outcome.seconds * 1e3, 1),
            "tenant": "none" if outcome.tenant is None else self._tenant_hash(outcome.tenant),
        }

    def _tenant_hash(self, tenant: str) -> str:
        return hmac.new(self._tenant_key, tenant.encode(), hashlib.sha256).hexdigest()[:12]


def operation_of(scope: Scope) -> str:
    """Return the name of the route that a request found, `none` if it found none."""
    return str(getattr(scope.get("route"), "name", None) or "none")
