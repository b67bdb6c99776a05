"""What happens to every request before a route sees it: id, size, time and number of requests at once."""

import asyncio
import re
import uuid
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.ports import Overloaded
from deployments.problems import RequestTimeout, RequestTooLarge, problem_response

MAX_LENGTH_DIGITS = 18
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may send, how long it may take, and how many run at once in this process."""

    max_request_bytes: int
    request_timeout_s: float
    max_in_flight: int


class Gatekeeper:
    """ASGI middleware that gives each request an id, holds the limits, and answers all errors of ours.

    `echoes_request_id`: whether to put `x-request-id` on responses; Ray Serve's own proxy does it already.
    """

    def __init__(self, app: ASGIApp, limits: Limits, echoes_request_id: bool = True) -> None:
        self._app = app
        self._limits = limits
        self._echoes_request_id = echoes_request_id
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        responder = _Responder(send, request_id if self._echoes_request_id else None)
        if self._in_flight >= self._limits.max_in_flight and not _is_health(scope):
            await problem_response(Overloaded(), request_id)(scope, receive, responder.send)
            return
        self._in_flight += 1
        try:
            await self._serve(scope, receive, responder, request_id)
        finally:
            self._in_flight -= 1

    async def _serve(self, scope: Scope, receive: Receive, responder: "_Responder", request_id: str) -> None:
        limit_s = self._limits.request_timeout_s
        timeout = asyncio.timeout(limit_s)
        try:
            body = BoundedBody(receive, Headers(scope=scope), self._limits.max_request_bytes)
            async with timeout:
                await self._app(scope, body.receive, responder.send)
        except ClientDisconnect:  # in the middle of its body: there is nobody to answer
            return
        except Exception as error:
            late = RequestTimeout(f"The request took longer than {limit_s:g} s.")
            await responder.fail(late if timeout.expired() else error, request_id, scope)


class BoundedBody:
    """A request's body that raises RequestTooLarge once it is over `limit` bytes, whatever its header said."""

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        declared = headers.get("content-length", "")
        # int() refuses thousands of digits, and no body is that long
        if declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > limit):
            raise _too_large(limit)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            if self._received > self._limit:
                raise _too_large(self._limit)
        return message


class _Responder:
    """Sends a response with our headers, and knows whether it has begun."""

    def __init__(self, send: Send, request_id: str | None) -> None:
        self._send = send
        self._request_id = request_id
        self._begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._begun = True
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self._request_id is not None:
                headers["x-request-id"] = self._request_id
        await self._send(message)

    async def fail(self, error: Exception, request_id: str, scope: Scope) -> None:
        if self._begun:  # too late for another status: let the server cut the connection
            raise error
        await problem_response(error, request_id)(scope, _nothing, self.send)


def request_id_of(headers: Headers) -> str:
    """Return the client's `x-request-id` if it is a plain word of at most 64 characters, else a new UUID."""
    given = headers.get("x-request-id", "")
    return given if REQUEST_ID.fullmatch(given) else str(uuid.uuid4())


def _is_health(scope: Scope) -> bool:
    return bool(scope["path"] == "/v1/health")


def _too_large(limit: int) -> RequestTooLarge:
    return RequestTooLarge(f"Expected a request body of at most {limit:,} bytes; found a larger one.", {"limit": limit})


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
