"""A short soak: after mixed load nothing is left over. The hour is `faceserve bench soak`."""

import asyncio

import asyncpg
import psutil
import pytest

from tests.benchmarks.soak import clients_of, most_connections
from tests.cluster.node import Cluster, wait_for
from tests.endurance.load import Answer, Connections, faults_of
from tests.endurance.mixed import mixed_load, prepare
from tests.endurance.processes import Watch

pytestmark = pytest.mark.cluster

ARRIVALS_PER_S, LOAD_S = 5.0, 12.0
KEPT_ALIVE = 12  # connections that HAProxy and the pools may hold on to: far fewer than there are requests


def files_and_threads(service: Cluster) -> dict[str, tuple[int, int]]:
    """Return how many files and threads each process holds."""
    watch = Watch([service.node, psutil.Process(service.postgres.pid)])
    watch.look()
    return {name: (samples[-1].files, samples[-1].threads) for name, samples in watch.samples.items()}


async def connections(service: Cluster) -> int:
    database = await asyncpg.connect(service.postgres.url)
    try:
        return await clients_of(database)
    finally:
        await database.close()


def test_mixed_load_leaves_no_file_thread_or_connection_behind(service: Cluster) -> None:
    with service.client() as client:
        mix = prepare(client)
    answers: list[Answer] = []

    async def load(seconds: float) -> None:
        async with Connections(service.url) as http:
            await mixed_load(http, mix, per_second=ARRIVALS_PER_S, seconds=seconds, record=answers.append)

    asyncio.run(load(3.0))
    before = files_and_threads(service)
    asyncio.run(load(LOAD_S))

    assert faults_of(answers) == {}
    assert len(answers) > 3 * KEPT_ALIVE

    def is_back() -> bool:
        now = files_and_threads(service)
        return all(
            held[kind] <= before[name][kind] + KEPT_ALIVE
            for name, held in now.items()
            if name in before
            for kind in (0, 1)
        )

    wait_for(is_back)
    assert asyncio.run(connections(service)) <= most_connections(service)
