"""What a route needs beside its request: the services, the limits, the cursors; and what is read off the request."""

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Query, Request
from pydantic import BaseModel

from configs.settings import ApiSettings
from deployments.http.access.tokens import Principal
from deployments.http.bodies.uploads import ImageRequest
from deployments.http.cursors import CursorCodec
from deployments.http.health import HealthCheck
from deployments.http.outcomes import Outcomes, operation_of
from deployments.http.problems import InvalidRequest
from deployments.http.recent import RecentCollections
from deployments.ports import Services
from deployments.telemetry.metrics import BEST_SIMILARITY, DECISIONS, Meters
from store.types import Collection, FaceRecord, Idempotency, Person

Listed = TypeVar("Listed", Collection, Person, FaceRecord)

IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The collaborators of all routes."""

    services: Services
    settings: ApiSettings
    cursors: CursorCodec
    recent: RecentCollections
    meters: Meters
    outcomes: Outcomes
    health: HealthCheck

    async def collection(self, principal: Principal, id: str | None) -> Collection | None:
        """Return the collection that a request names in its body, None if it names none; maybe as of 2 s ago.

        Raises CollectionNotGranted or CollectionNotFound.
        """
        if id is None:
            return None
        principal.require_collection(id)
        return await self.recent.get(principal.tenant, id)

    async def page(
        self, scope: str, cursor: str | None, limit: int, read: Callable[[str | None, int], Awaitable[Sequence[Listed]]]
    ) -> tuple[Sequence[Listed], str | None]:
        """Return one page of the list `scope`, and the cursor to what follows, None at the end. Raises InvalidCursor.

        `read` gives so many items at most, those after the one of an id.
        """
        found = await read(self.cursors.decode(cursor, scope), limit + 1)
        shown = found[:limit]
        return shown, self.cursors.encode(scope, shown[-1].id) if len(found) > limit else None

    def decided(self, request: Request, decision: str, similarity: float | None) -> None:
        """Count what was decided about one face, whose best candidate has `similarity`, None if there is none."""
        operation = operation_of(request.scope)
        self.meters.record(DECISIONS, 1, operation, decision)
        if similarity is not None:
            self.meters.record(BEST_SIMILARITY, similarity, operation)


# Dependencies are coroutines: FastAPI runs a plain function in a thread, for these two 0.4 ms of CPU a request.
async def context_of(request: Request) -> ApiContext:
    """Return the context that `create_api` left on the application."""
    context: ApiContext = request.app.state.context
    return context


async def principal_of_request(request: Request) -> Principal:
    """Return who is asking, as the router's dependency found out before the route was called."""
    principal: Principal = request.state.principal
    return principal


async def enrollment_key(request: Request, form: ImageRequest) -> Idempotency | None:
    """Return the `Idempotency-Key` of an enrolment, None without one. Raises InvalidRequest."""
    # a digest takes time, which only a request with a key needs
    return idempotency_of(request, await form.digest() if "idempotency-key" in request.headers else "")


def idempotency_of(request: Request, content: BaseModel | str = "") -> Idempotency | None:
    """Return the client's `Idempotency-Key` for this request, None without one. Raises InvalidRequest.

    `content`: what tells the request from another one with the same method and path.
    """
    keys = request.headers.getlist("idempotency-key")
    if not keys:
        return None
    if len(keys) != 1 or IDEMPOTENCY_KEY.fullmatch(keys[0]) is None:
        raise InvalidRequest("Expected one Idempotency-Key of 1 to 128 visible ASCII characters.")
    if isinstance(content, BaseModel):
        content = content.model_dump_json(exclude_unset=True)  # {"name": null} is not {"external_id": null}
    # the scope's path: `request.url` puts it together with the Host header and the query, either of which may be broken
    content = f"{request.method} {request.scope['path']}\n{content}"
    return Idempotency(key=keys[0], fingerprint=hashlib.sha256(content.encode()).hexdigest())


def elapsed_ms(started: float) -> float:
    """Return the milliseconds since `started`, a reading of `time.perf_counter`."""
    return round((time.perf_counter() - started) * 1000, 3)


MAX_LISTED = 100  # of one page, and of the ids in one query
PageSize = Annotated[int, Query(ge=1, le=MAX_LISTED)]

Context = Annotated[ApiContext, Depends(context_of)]
Caller = Annotated[Principal, Depends(principal_of_request)]
