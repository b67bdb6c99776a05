"""What was deleted goes, a little at a time, whoever else is at work."""

import asyncio
import logging

import asyncpg
import pytest

import store.tables.collection_table
import store.tables.idempotency
from store.errors import StoreUnavailable
from store.gallery import Gallery
from store.types import Idempotency, NewPerson, Statistics
from store.upkeep.housekeeping import keep_doing
from store.upkeep.purging import PURGE_LOCK
from tests.store.faces import CONTRACT, collection, face
from tests.store.waiting import eventually

TABLES = ("collections", "persons", "faces", "embeddings")


@pytest.fixture
async def deleted(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """A gallery of which one collection was deleted by force and one was not; two rows go at a time."""
    monkeypatch.setattr(store.tables.collection_table, "PURGED_AT_ONCE", 2)
    for id in ("staff", "guests"):
        await gallery.create_collection("acme", collection(id=id))
        for number in range(3):
            await gallery.enroll_person("acme", id, NewPerson(f"p{number}"), [face(), face(), face()], CONTRACT.id)
    await gallery.delete_collection("acme", "staff", force=True)
    return gallery


async def counts(connection: asyncpg.Connection) -> list[int]:
    return [await connection.fetchval(f"select count(*) from {table}") for table in TABLES]


async def test_what_a_deleted_collection_held_is_removed(deleted: Gallery, connection: asyncpg.Connection) -> None:
    assert await counts(connection) == [2, 6, 18, 18]

    await deleted.purge()

    assert await counts(connection) == [1, 3, 9, 9]
    assert await deleted.statistics("acme") == Statistics(1, 3, 9)


async def test_keys_that_have_expired_are_forgotten(
    gallery: Gallery, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("old", "new"):
        await gallery.create_collection("acme", collection(id=key), idempotency=Idempotency(key, "fingerprint"))
    await connection.execute("update idempotency_keys set created_at = now() - interval '2 days' where key = 'old'")

    await gallery.purge()

    assert [row["key"] for row in await connection.fetch("select key from idempotency_keys")] == ["new"]


async def test_one_purges_at_a_time_and_nobody_waits_for_it(deleted: Gallery, connection: asyncpg.Connection) -> None:
    async with connection.transaction():
        await connection.execute("select pg_advisory_xact_lock($1)", PURGE_LOCK)
        await deleted.purge()
        assert await counts(connection) == [2, 6, 18, 18]

    await deleted.purge()

    assert await counts(connection) == [1, 3, 9, 9]


async def test_a_chore_goes_on_after_failures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    failures: list[Exception] = [StoreUnavailable(), KeyError("defect")]
    taken = 0

    async def step() -> None:
        nonlocal taken
        if failures:
            raise failures.pop(0)
        taken += 1

    chore = asyncio.create_task(keep_doing(step, "chore", 0.001))

    async def is_done() -> bool:
        return taken > 1

    await eventually(is_done)
    chore.cancel()
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
