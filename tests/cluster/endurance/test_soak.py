"""A short soak: after mixed load nothing is left over. The hour is `faceserve bench soak`."""

import asyncio
from collections.abc import Iterable

import asyncpg
import psutil
import pytest

from tests.benchmarks.endurance.load import Answer, Connections, faults_of
from tests.benchmarks.endurance.mixed import mixed_load, prepare
from tests.benchmarks.endurance.processes import Sample, Watch
from tests.benchmarks.endurance.soak import clients_of, most_connections
from tests.cluster.node import Cluster, wait_for

pytestmark = pytest.mark.cluster

ARRIVALS_PER_S, LOAD_S = 5.0, 12.0
SETTLING_MB = 60.0  # of caches and allocators in the first minute; keeping the images of this load would take 100
KEPT_ALIVE = 12  # connections that HAProxy and the pools may hold on to: far fewer than there are requests


def held(service: Cluster) -> dict[str, Sample]:
    """Return what each process holds."""
    watch = Watch([service.node, psutil.Process(service.postgres.pid)])
    watch.look()
    return {name: samples[-1] for name, samples in watch.samples.items()}


def replicas(holding: Iterable[str]) -> set[str]:
    """Return the processes of our deployments, with their pids."""
    return {name for name in holding if name.startswith("faceserve:")}


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
    before = held(service)
    asyncio.run(load(LOAD_S))

    assert faults_of(answers) == {}
    assert len(answers) > 3 * KEPT_ALIVE

    def is_back() -> bool:
        return all(
            sample.files <= before[name].files + KEPT_ALIVE and sample.threads <= before[name].threads + KEPT_ALIVE
            for name, sample in held(service).items()
            if name in before  # Ray starts and ends workers of its own
        )

    wait_for(is_back)
    after = held(service)
    assert replicas(after) == replicas(before), "a replica ended"
    grown = {name: after[name].memory_mb - before[name].memory_mb for name in before if name in after}
    assert max(grown.values()) < SETTLING_MB, grown
    assert asyncio.run(connections(service)) <= most_connections(service)
