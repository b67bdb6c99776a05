"""Searches through the gallery as the service does, timed, and held to the truth."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import asyncpg
import numpy as np
import psutil

from store.gallery import Gallery
from store.types import SearchOutcome
from tests.benchmarks.store.loading import TENANT, person_id
from tests.benchmarks.store.truth import Numbers
from tests.benchmarks.store.vectors import Embeddings
from tests.store.faces import CONTRACT

WARM_UP = 20
CONNECTIONS = 4  # as many as a gallery opens
LIMIT = 10


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of one operation, operations per second of all clients, and CPU of the server for one.

    The CPU says what an operation costs also on a machine that is busy with other work.
    """

    p50_ms: float
    p99_ms: float
    per_second: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Recall:
    """Shares of the truth that searches found: the best person, and the best ten."""

    first: float
    ten: float


async def search(gallery: Gallery, id: str, probe: Embeddings) -> SearchOutcome:
    """Look for ten persons by one probe, float32 (512,)."""
    return await gallery.search(TENANT, id, CONTRACT.id, probe[None], LIMIT)


async def read_signs(gallery: Gallery, id: str, probe: Embeddings) -> float:
    """Have the gallery read the signs of a collection; return the seconds that it took."""
    started = time.perf_counter()
    await search(gallery, id, probe)
    await gallery.signs_read()
    return time.perf_counter() - started


async def recall(gallery: Gallery, id: str, probes: Embeddings, truth: Numbers) -> Recall:
    """Search with each of `probes`. `truth`: int64 (probes, 10), persons by their number, nearest first."""
    first, ten = [], []
    for probe, nearest in zip(probes, truth, strict=True):
        (candidates,) = (await search(gallery, id, probe)).candidates
        found = [candidate.person.id for candidate in candidates]
        expected = [person_id(number) for number in nearest]
        first.append(found[0] == expected[0])
        ten.append(len(set(found) & set(expected)) / len(expected))
    return Recall(float(np.mean(first)), float(np.mean(ten)))


async def times(url: str, gallery: Gallery, id: str, probes: Embeddings, clients: int = 1) -> Times:
    """Search with each of `probes` once, from clients that each wait for their answer."""

    async def operation(number: int) -> object:
        return await search(gallery, id, probes[number])

    await timed(url, operation, range(min(WARM_UP, len(probes))), CONNECTIONS)  # every connection has its plans
    return await timed(url, operation, range(len(probes)), clients)


async def timed(
    url: str, operation: Callable[[int], Awaitable[object]], numbers: Sequence[int], clients: int = 1
) -> Times:
    """Run `operation` for each of `numbers`, from `clients` that each wait for their answer."""
    times_ms: list[float] = []

    async def client(mine: Sequence[int]) -> None:
        for number in mine:
            started = time.perf_counter()
            await operation(number)
            times_ms.append(1000 * (time.perf_counter() - started))

    spent = await _cpu_seconds(url)
    started = time.perf_counter()
    await asyncio.gather(*(client(numbers[first::clients]) for first in range(clients)))
    rate = len(numbers) / (time.perf_counter() - started)
    cpu_ms = 1000 * (await _cpu_seconds(url) - spent) / len(numbers)
    return Times(float(np.median(times_ms)), float(np.quantile(times_ms, 0.99)), rate, cpu_ms)


async def _cpu_seconds(url: str) -> float:
    """Return the CPU seconds that the galleries' sessions on the server have used."""
    connection = await asyncpg.connect(url)
    try:
        rows = await connection.fetch("select pid from pg_stat_activity where application_name = 'faceserve'")
    finally:
        await connection.close()
    used = [psutil.Process(row["pid"]).cpu_times() for row in rows]
    return sum(each.user + each.system for each in used)
