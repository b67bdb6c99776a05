"""What stands between clients and Serve's own HTTP server.

Ray Serve 2.60 lets a header of the request lift its time limit, ignore that the client left, and choose among replicas,
and answers 500 to any of them that is no UTF-8: those are taken off before it looks. Where the replica that worked on a
request died, it gives no answer, or one in plain words: that becomes an error of ours. This is put in front of it by
the environment of every node: `RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=deployments.edge:middlewares`.
"""

import uuid

from starlette.datastructures import Headers as HeaderView
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.http.middleware import PLAIN_ID, Responder
from deployments.http.problems import Interrupted

# Written with hyphens; Serve reads underscores as the same.
SERVE_HEADERS = frozenset(
    {b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"serve-multiplexed-model-id", b"x-session-id"}
)
SERVE_PREFIX = b"x-serve-"
OWN_ROUTES = "/-/"  # of Serve: for load balancers, which expect its words
SERVE_ERRORS = frozenset({408, 500, 503})
Headers = list[tuple[bytes, bytes]]


def middlewares() -> list[Middleware]:
    """Return what Serve is to put around its server, as its proxy callback."""
    return [Middleware(Edge)]


class Edge:
    """ASGI middleware that drops the headers that steer Serve and odd request ids, and answers where Serve does not."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "headers": harmless(scope["headers"])}
        if scope["type"] != "http" or scope["path"].startswith(OWN_ROUTES):
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        await self._app(scope, receive, answer.send)
        if not answer.has_begun:
            request_id = HeaderView(scope=scope)["x-request-id"]
            await Responder(send, request_id).fail(Interrupted(), request_id, scope)


class _Answer:
    """Passes a response on, unless it is an error in Serve's own words."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = HeaderView(raw=message["headers"]).get("content-type", "")
            self.has_begun = message["status"] not in SERVE_ERRORS or not kind.startswith("text/plain")
        if self.has_begun:
            await self._send(message)


def harmless(headers: Headers) -> Headers:
    """Return `headers` without those that steer Serve, and with exactly one `x-request-id` that is a plain word."""
    kept = [(name, value) for name, value in headers if not _steers_serve(name) and name != b"x-request-id"]
    given = [value for name, value in headers if name == b"x-request-id"]
    is_plain = len(given) == 1 and PLAIN_ID.fullmatch(given[0].decode("latin-1")) is not None
    return [*kept, (b"x-request-id", given[0] if is_plain else str(uuid.uuid4()).encode())]


def _steers_serve(name: bytes) -> bool:
    written = name.lower().replace(b"_", b"-")
    return written in SERVE_HEADERS or written.startswith(SERVE_PREFIX)
