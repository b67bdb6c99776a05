"""A request's body on its way in: within its size, in time, and within what the replica may hold."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from deployments import bounds
from deployments.http.bodies.held_bytes import HeldBytes
from deployments.http.problems import BodyTimeout, RequestTooLarge

MAX_LENGTH_DIGITS = 18


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """How many bytes a body may have, and how long each step of it may take, in seconds."""

    max_bytes: int
    step_timeout_s: float


class ArrivingBody:
    """Passes on the messages of a body, and holds its bytes until `release`.

    Raises RequestTooLarge once it is over its limit, whatever its header said, Overloaded where the replica holds
    enough already, and BodyTimeout where neither `bounds.BODY_STEP_BYTES` nor the end came within the time of a step.
    So a slow line may take as long as it needs, and a client that sends a byte a second holds memory for one step.
    `on_whole` is called once all is there.
    """

    def __init__(
        self, scope: Scope, receive: Receive, limits: BodyLimits, held: HeldBytes, on_whole: Callable[[], None]
    ) -> None:
        self._scope = scope
        self._receive = receive
        self._limits = limits
        self._held = held
        self._on_whole = on_whole
        self._tenant: str | None = None
        self._received = 0
        self._of_step = 0
        self._is_whole = False
        self._clock = asyncio.get_running_loop().time
        self._deadline = self._clock() + limits.step_timeout_s
        declared = Headers(scope=scope).get("content-length", "")
        # int() refuses thousands of digits, and no body is that long
        if declared.isdecimal() and (len(declared) > MAX_LENGTH_DIGITS or int(declared) > limits.max_bytes):
            raise self._too_large()

    async def receive(self) -> Message:
        """Return the next message, as ASGI does."""
        message = await self._next()
        if message["type"] == "http.request":
            self._is_whole = not message.get("more_body", False)
            self._take(len(message.get("body", b"")))
            if self._is_whole:
                self._on_whole()
        return message

    def release(self) -> None:
        """Hold the body's bytes no more."""
        self._held.give_back(self._tenant, self._received)
        self._received = 0

    def _take(self, count: int) -> None:
        if self._received + count > self._limits.max_bytes:
            raise self._too_large()
        if not self._received:  # routes read a body after they have looked at the token
            principal = self._scope["state"].get("principal")
            self._tenant = None if principal is None else principal.tenant
        self._held.take(self._tenant, count)
        self._received += count
        self._of_step += count
        if self._of_step >= bounds.BODY_STEP_BYTES:
            self._of_step = 0
            self._deadline = self._clock() + self._limits.step_timeout_s

    async def _next(self) -> Message:
        if self._is_whole:  # what comes now is that the client left
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            raise BodyTimeout(
                f"Expected {bounds.BODY_STEP_BYTES:,} bytes of the request body, or its end, every "
                f"{self._limits.step_timeout_s:g} s; found {self._of_step:,}."
            ) from None

    def _too_large(self) -> RequestTooLarge:
        limit = self._limits.max_bytes
        return RequestTooLarge(
            f"Expected a request body of at most {limit:,} bytes; found a larger one.", {"limit": limit}
        )
