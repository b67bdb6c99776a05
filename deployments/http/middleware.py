"""What happens to every request before a route sees it: id, size, time and number of requests at once."""

import asyncio
import re
import time
import uuid

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.admission import Admission, AdmissionTicket
from deployments.http.bodies.arrival import ArrivingBody, BodyLimits
from deployments.http.bodies.held_bytes import HeldBytes
from deployments.http.outcomes import CLIENT_LEFT, Outcome, Outcomes, operation_of
from deployments.http.problems import RequestTimeout, code_of, problem_response
from deployments.http.request_id import REQUEST_ID

WITH_BODY = ("POST", "PATCH")  # of the others nothing is read
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


class Gatekeeper:
    """ASGI middleware that gives each request an id, holds the limits, answers our errors, and tells how it ended.

    `timeout_s`: what a request may take once its body is there. `echoes_request_id`: whether to put `x-request-id` on
    responses; Ray Serve's own proxy does it already.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        timeout_s: float,
        bodies: BodyLimits,
        held: HeldBytes,
        admission: Admission,
        outcomes: Outcomes,
        echoes_request_id: bool = True,
    ) -> None:
        self._app = app
        self._timeout_s = timeout_s
        self._bodies = bodies
        self._held = held
        self._outcomes = outcomes
        self._echoes_request_id = echoes_request_id
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        is_head = scope["method"] == "HEAD"  # is what GET is, without the body, RFC 9110 section 9.3.2
        if is_head:
            scope = {**scope, "method": "GET"}
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        responder = Responder(send, request_id if self._echoes_request_id else None, sends_body=not is_head)
        try:
            await self._serve(scope, receive, responder, request_id)
        finally:
            principal = scope["state"].get("principal")
            self._outcomes.record(
                Outcome(
                    request_id=request_id,
                    operation=operation_of(scope),
                    status=responder.status or CLIENT_LEFT,
                    code=scope["state"].get("error_code", "none"),
                    seconds=time.perf_counter() - started,
                    tenant=None if principal is None else principal.tenant,
                )
            )

    async def _serve(self, scope: Scope, receive: Receive, responder: "Responder", request_id: str) -> None:
        ticket = AdmissionTicket(
            self._admission,
            may_need_embedder=scope["method"] == "POST",  # images are posted
            is_always_admitted=_is_health(scope),
        )
        has_body = scope["method"] in WITH_BODY and brings_body(Headers(scope=scope))
        timeout = asyncio.timeout(None if has_body else self._timeout_s)
        clock = asyncio.get_running_loop().time

        def begin() -> None:
            ticket.enter()
            timeout.reschedule(clock() + self._timeout_s)

        body: ArrivingBody | None = None
        try:
            if has_body:
                ticket.expect_body()
            else:
                ticket.enter()
            body = ArrivingBody(scope, receive, self._bodies, self._held, on_whole=begin)
            async with timeout:
                await self._app(scope, body.receive, responder.send)
        except ClientDisconnect:  # in the middle of its body: there is nobody to answer
            return
        except Exception as error:
            late = RequestTimeout(f"The request took longer than {self._timeout_s:g} s.")
            await responder.fail(late if timeout.expired() else error, request_id, scope)
        finally:
            ticket.leave()
            if body is not None:
                body.release()


class Responder:
    """Sends a response with our headers, and knows whether it has begun: `status` is None before."""

    def __init__(self, send: Send, request_id: str | None, *, sends_body: bool = True) -> None:
        self._send = send
        self._sends_body = sends_body
        self._request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self._request_id is not None:
                headers["x-request-id"] = self._request_id
        elif not self._sends_body and "body" in message:
            message = {**message, "body": b""}
        await self._send(message)

    async def fail(self, error: Exception, request_id: str, scope: Scope) -> None:
        if self.status is not None:  # too late for another status: let the server cut the connection
            raise error
        scope.setdefault("state", {})["error_code"] = code_of(error)
        await problem_response(error, request_id)(scope, _nothing, self.send)


def brings_body(headers: Headers) -> bool:
    """Tell whether a request with such headers brings a body, RFC 9112 section 6."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def request_id_of(headers: Headers) -> str:
    """Return the client's `x-request-id` if it is a plain word of at most 64 characters, else a new UUID."""
    given = headers.get("x-request-id", "")
    return given if PLAIN_ID.fullmatch(given) else str(uuid.uuid4())


def _is_health(scope: Scope) -> bool:
    return bool(scope["path"] == "/v1/health")


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
