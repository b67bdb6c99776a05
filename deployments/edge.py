"""What Serve's own HTTP server must not take from clients, taken off before it looks.

Ray Serve 2.60 lets a header of the request lift its time limit, ignore that the client left, and choose among replicas,
and answers 500 to any of them that is no UTF-8. This is put in front of it by the environment of every node:
`RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH=deployments.edge:middlewares`.
"""

import uuid

from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.middleware import REQUEST_ID

# Written with hyphens; Serve reads underscores as the same.
SERVE_HEADERS = frozenset(
    {b"x-request-timeout-seconds", b"x-request-disconnect-disabled", b"serve-multiplexed-model-id", b"x-session-id"}
)
SERVE_PREFIX = b"x-serve-"
Headers = list[tuple[bytes, bytes]]


def middlewares() -> list[Middleware]:
    """Return what Serve is to put around its server, as its proxy callback."""
    return [Middleware(Edge)]


class Edge:
    """ASGI middleware that drops the headers that steer Serve, and request ids that are not plain words."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "headers": harmless(scope["headers"])}
        await self._app(scope, receive, send)


def harmless(headers: Headers) -> Headers:
    """Return `headers` without those that steer Serve, and with exactly one `x-request-id` that is a plain word."""
    kept = [(name, value) for name, value in headers if not _steers_serve(name) and name != b"x-request-id"]
    given = [value for name, value in headers if name == b"x-request-id"]
    is_plain = len(given) == 1 and REQUEST_ID.fullmatch(given[0].decode("latin-1")) is not None
    return [*kept, (b"x-request-id", given[0] if is_plain else str(uuid.uuid4()).encode())]


def _steers_serve(name: bytes) -> bool:
    written = name.lower().replace(b"_", b"-")
    return written in SERVE_HEADERS or written.startswith(SERVE_PREFIX)
