"""Parts of the service are killed under load: nothing that it acknowledged is lost."""

import asyncio
import time

import asyncpg
import pytest

from tests.benchmarks.faults.ledger import Ledger
from tests.benchmarks.faults.load import Target, load
from tests.benchmarks.faults.pictures import portraits
from tests.benchmarks.faults.run import under_load
from tests.benchmarks.faults.service import Service
from tests.benchmarks.faults.verdict import verdict
from tests.cluster.node import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def service(cluster: Cluster) -> Service:
    service = Service(cluster)
    cluster.deploy(service.config())
    service.wait_until_whole()
    return service


@pytest.mark.parametrize("fault", ["kill-embedder", "kill-search", "kill-ingress", "postgres-kill"])
async def test_nothing_acknowledged_is_lost_nothing_half_there_and_nobody_enrolled_twice(
    service: Service, fault: str
) -> None:
    outcome = await under_load(service, fault, portraits(None), clients=4, before_s=1.0, after_s=1.0)

    assert outcome.acknowledged > 0
    assert outcome.verdict.is_clean, outcome.verdict
    assert outcome.is_clean, outcome.told


async def test_what_is_lost_half_there_or_doubled_is_found(service: Service) -> None:
    ledger = Ledger()
    target = Target(service.cluster.url, service.authorization, "tampered", portraits(None))
    await target.create()
    deadline = time.monotonic() + 60
    async with load(target, ledger, clients=2):
        while len(ledger.due) < 3:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.1)
    first, second, third = ledger.due[:3]
    connection = await asyncpg.connect(service.postgres.url)
    await connection.execute(
        "delete from embeddings e using faces f, persons p "
        "where e.face_pk = f.face_pk and f.person_pk = p.person_pk and p.id = $1",
        first.person_id,
    )
    await connection.execute("update persons set name = $1 where id = $2", third.name, second.person_id)

    found = await verdict(target, ledger, service.postgres.url)

    assert set(found.lost) == {first.name, second.name}
    assert found.half == 2  # a face without an embedding, and a collection whose count is off
    assert found.doubled == (third.name,)
    # the tables are those of all tests
    await connection.execute("update collections set deleted_at = now() where id = 'tampered'")
    await connection.execute("delete from persons where id = $1", first.person_id)
    await connection.close()
