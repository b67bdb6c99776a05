"""Open load: requests leave when their time has come, whether or not the earlier ones are answered.

Plain HTTP/1.1 on asyncio's streams, about 0.2 ms of CPU a request: the load runs on the cores of what it measures, and
a client library would take several times that.
"""

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import httpx

GIVE_UP_S = 90.0  # above every timeout of the service, so that a hang is seen as one
REFUSED = 429


@dataclass(frozen=True, slots=True)
class Call:
    """A request, ready to be sent, and the operation that it counts for."""

    operation: str
    request: bytes
    expected: frozenset[int] = frozenset({200})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a call. `at_s`, `seconds`: when it was due and how long after that the answer was there.

    `status` is 0 where there was none, and `fault` then says why.
    """

    call: Call
    at_s: float
    seconds: float
    status: int
    body: bytes = b""
    has_retry_after: bool = False
    fault: str = ""

    @property
    def is_expected(self) -> bool:
        return self.status in self.call.expected

    @property
    def is_refusal(self) -> bool:
        return self.status == REFUSED and self.has_retry_after


def call(
    operation: str, client: httpx.Client, method: str, path: str, expected: Iterable[int] = (200,), **parts: object
) -> Call:
    """Return the request that `client` would send; `parts` are httpx's (`content`, `json`, `files`, `headers`)."""
    request = client.build_request(method, path, **parts)  # type: ignore[arg-type]
    body = request.read()
    kept = [(name, value) for name, value in request.headers.raw if name.lower() not in (b"accept-encoding",)]
    head = b"".join(b"%s: %s\r\n" % pair for pair in kept)
    line = f"{method} {request.url.raw_path.decode()} HTTP/1.1\r\n".encode()
    return Call(operation, line + head + b"\r\n" + body, frozenset(expected))


class Connections:
    """Kept-alive connections to one server; opens another one when all are in use."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 80
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    async def send(self, call: Call, due: float | None = None) -> Answer:
        """Send `call`; its time counts from `due` (`time.perf_counter()`), by default from now. Raises nothing."""
        due = time.perf_counter() if due is None else due
        try:
            async with asyncio.timeout(GIVE_UP_S):
                status, headers, body = await self._exchange(call.request)
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            return Answer(call, due, time.perf_counter() - due, 0, fault=type(error).__name__)
        return Answer(call, due, time.perf_counter() - due, status, body, b"retry-after" in headers)

    async def _exchange(self, request: bytes) -> tuple[int, dict[bytes, bytes], bytes]:
        while self._idle:
            reader, writer = self._idle.pop()
            if reader.at_eof() or writer.is_closing():
                writer.close()
                continue
            break
        else:
            reader, writer = await asyncio.open_connection(*self._address)
        is_whole = False
        try:
            writer.write(request)
            status, headers = await _head(reader)
            body = await _body(reader, headers)
            is_whole = headers.get(b"connection", b"").lower() != b"close"
        finally:
            if is_whole:
                self._idle.append((reader, writer))
            else:
                writer.close()
        return status, headers, body


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[bytes, bytes]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    pairs = (line.partition(b":") for line in lines[1:] if line)
    return int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: dict[bytes, bytes]) -> bytes:
    if b"content-length" in headers:
        return await reader.readexactly(int(headers[b"content-length"]))
    chunks = []
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        while size := int((await reader.readline()).split(b";")[0], 16):
            chunks.append((await reader.readexactly(size + 2))[:-2])
        await reader.readline()
    return b"".join(chunks)


async def offer(
    send: Callable[[int, float], Awaitable[None]], *, per_second: float, seconds: float, seed: int = 1
) -> None:
    """Call `send(number, due)` at random times, `per_second` on average, for `seconds`; return when all are done."""
    gaps = random.Random(seed)
    begun = time.perf_counter()
    due, number = begun, 0
    async with asyncio.TaskGroup() as group:
        while due < begun + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(send(number, due))  # type: ignore[arg-type]
            due += gaps.expovariate(per_second)
            number += 1


async def offer_calls(
    connections: Connections, calls: Sequence[Call], *, per_second: float, seconds: float
) -> list[Answer]:
    """Send `calls` in turn as `offer` does, and return the answers."""
    answers: list[Answer] = []

    async def send(number: int, due: float) -> None:
        answers.append(await connections.send(calls[number % len(calls)], due))

    await offer(send, per_second=per_second, seconds=seconds)
    return answers


async def ask_in_turn(
    connections: Connections, calls: Sequence[Call], *, clients: int, is_over: Callable[[], bool]
) -> list[Answer]:
    """Send `calls` from `clients` that each wait for their answer (a closed load), and return the answers."""
    answers: list[Answer] = []

    async def client(number: int) -> None:
        while not is_over():
            answers.append(await connections.send(calls[number % len(calls)]))
            number += clients

    await asyncio.gather(*(client(number) for number in range(clients)))
    return answers


def after(seconds: float) -> Callable[[], bool]:
    """Return what tells whether `seconds` from now have passed."""
    end = time.perf_counter() + seconds
    return lambda: time.perf_counter() >= end


def percentile_ms(seconds: Sequence[float], percent: int) -> float:
    """Return a percentile of times in ms, nan for fewer than two."""
    if len(seconds) < 2:
        return float("nan")
    return statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1000


def faults_of(answers: Iterable[Answer]) -> Counter[str]:
    """Return how often each status or fault came that is neither expected nor a refusal with Retry-After."""
    wrong = (answer for answer in answers if not answer.is_expected and not answer.is_refusal)
    return Counter(f"{answer.call.operation} {answer.status or answer.fault}" for answer in wrong)
