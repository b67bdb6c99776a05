"""The application under test behind a real HTTP server, which may refuse some requests first."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send


@dataclass
class Refusals:
    """Answers the next requests with these statuses, 0 for a broken connection after the request was carried out."""

    app: FastAPI
    statuses: deque[int] = field(default_factory=deque)
    retry_after: str | None = "0"
    keys: list[str] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def writes(self, count: int) -> None:
        """Return once so many writes have come."""
        async with asyncio.timeout(60), self.came:
            await self.came.wait_for(lambda: len(self.keys) >= count)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        self.keys += [value.decode() for name, value in scope["headers"] if name == b"idempotency-key"]
        async with self.came:
            self.came.notify_all()
        status = self.statuses.popleft() if self.statuses else None
        if status is None:
            return await self.app(scope, receive, send)
        if status == 0:
            await self.app(scope, receive, _swallow)
            # an answer that is begun and never finished: the server closes the connection
            headers = [(b"content-length", b"10")]
            return await send({"type": "http.response.start", "status": 201, "headers": headers})
        body = json.dumps({"error": {"code": "overloaded", "message": "Wait.", "details": {}}, "request_id": "r-1"})
        headers = [(b"content-type", b"application/json")]
        if self.retry_after is not None:
            headers.append((b"retry-after", self.retry_after.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body.encode()})


async def _swallow(message: Any) -> None:
    pass


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, started: asyncio.Event) -> None:
        super().__init__(config)
        self._has_started = started

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._has_started.set()


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """Serve an ASGI application on a free port; give its URL."""
    started = asyncio.Event()
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None), started)
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(20):
            await started.wait()
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task
