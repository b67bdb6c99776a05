"""What a client of the gallery sees while PostgreSQL is killed and comes back."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator

import asyncpg
import psutil
import pytest

from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres, temporary_postgres
from store.errors import PersonNotFound, StoreUnavailable
from store.gallery import Gallery
from store.types import NewPerson
from store.upkeep.indexing import IndexKeeper
from tests.store.faces import CONTRACT, collection, embedding, face
from tests.store.waiting import eventually


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    """A server that tests kill; it keeps fsync on, as in production."""
    with temporary_postgres() as started:
        yield started


@pytest.fixture
async def gallery(server: LocalPostgres) -> AsyncIterator[Gallery]:
    """An open gallery with the collection `staff`."""
    server.start()
    await apply_migrations(server.url)
    opened = await Gallery.open(server.url)
    await opened.create_collection("acme", collection())
    yield opened
    server.start()
    await opened.delete_collection("acme", "staff", force=True)
    await opened.close()


def kill(server: LocalPostgres) -> None:
    """Kill the server; its sessions notice within moments, until which they still answer."""
    assert server.pid is not None
    sessions = psutil.Process(server.pid).children()
    os.kill(server.pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(sessions, 10.0)
    assert all(process.status() == psutil.STATUS_ZOMBIE for process in alive)


async def test_requests_fail_clearly_while_the_database_is_away_and_work_after(
    server: LocalPostgres, gallery: Gallery
) -> None:
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face()], CONTRACT.id)

    kill(server)
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await gallery.get_person("acme", "staff", "ada")
        with pytest.raises(StoreUnavailable):
            await gallery.enroll_person("acme", "staff", NewPerson("grace"), [face()], CONTRACT.id)
        with pytest.raises(StoreUnavailable):
            await gallery.search("acme", "staff", CONTRACT.id, embedding(1)[None], 1)
        with pytest.raises(StoreUnavailable):
            await gallery.ping()
    server.start()

    assert (await gallery.get_person("acme", "staff", "ada")).face_count == 1
    await gallery.enroll_person("acme", "staff", NewPerson("grace"), [face()], CONTRACT.id)
    outcome = await gallery.search("acme", "staff", CONTRACT.id, face().embedding[None], 1)
    assert outcome.candidates[0][0].person.id == "ada"


async def test_nothing_acknowledged_is_lost_when_the_database_is_killed(
    server: LocalPostgres, gallery: Gallery
) -> None:
    acknowledged: list[str] = []

    async def enroll_until_it_fails(worker: int) -> None:
        for number in range(10_000):
            id = f"w{worker}-{number}"
            await gallery.enroll_person("acme", "staff", NewPerson(id), [face(seed=number)], CONTRACT.id)
            acknowledged.append(id)

    workers = [asyncio.create_task(enroll_until_it_fails(worker)) for worker in range(4)]

    async def are_busy() -> bool:
        return len(acknowledged) >= 40

    await eventually(are_busy)
    kill(server)
    outcomes = await asyncio.gather(*workers, return_exceptions=True)
    server.start()

    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable] * 4
    for id in acknowledged:
        assert (await gallery.get_person("acme", "staff", id)).face_count == 1
    found = await gallery.get_collection("acme", "staff")
    assert found.person_count == found.face_count >= len(acknowledged)


async def test_a_restarted_database_is_used_at_once_even_by_writes(server: LocalPostgres, gallery: Gallery) -> None:
    await asyncio.gather(*(gallery.ping() for _ in range(4)))  # four open connections

    server.stop()
    server.start()
    enrolled = await asyncio.gather(
        *(gallery.enroll_person("acme", "staff", NewPerson(f"p{n}"), [], CONTRACT.id) for n in range(4))
    )

    assert len(enrolled) == 4


async def test_sessions_ended_by_the_server_are_replaced(server: LocalPostgres, gallery: Gallery) -> None:
    await asyncio.gather(*(gallery.ping() for _ in range(4)))
    admin = await asyncpg.connect(server.url)

    await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'faceserve'")

    with pytest.raises(PersonNotFound):
        await gallery.get_person("acme", "staff", "ada")
    await admin.close()


async def test_a_gallery_waits_for_a_database_that_starts_late(server: LocalPostgres, gallery: Gallery) -> None:
    url = server.url
    server.stop()

    opening = asyncio.create_task(Gallery.open(url, wait_s=20.0))
    with pytest.raises(StoreUnavailable):
        await Gallery.open(url, wait_s=0.0)
    server.start()

    late = await opening
    await late.ping()
    await late.close()


async def test_a_keeper_survives_a_restart(server: LocalPostgres, gallery: Gallery) -> None:
    keeper = IndexKeeper(server.url, lambda: gallery.settings)
    await keeper.run_once()

    kill(server)
    with pytest.raises(StoreUnavailable):
        await keeper.run_once()
    server.start()

    assert (await keeper.run_once()).is_keeper
    await keeper.close()


async def test_ef_search_cannot_change_while_the_database_is_away(server: LocalPostgres, gallery: Gallery) -> None:
    kill(server)
    with pytest.raises(StoreUnavailable):
        await gallery.reconfigure(ef_search=150)
    server.start()

    await gallery.ping()
    await gallery.reconfigure(ef_search=150)
    await gallery.ping()
