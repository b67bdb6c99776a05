"""A rolling change of the schema: the release before and the one after work side by side and lose no request."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import asyncpg
import pytest

from store.database import schema
from store.database.migrate import apply_migrations
from store.database.schema import Migration
from store.errors import SchemaMismatch
from store.gallery import Gallery
from tests.store.database.rolling import CURRENT, KNOWN, NEXT
from tests.store.faces import collection

Start = Callable[[int, str], Coroutine[Any, Any, Process]]


@pytest.fixture
async def start(url: str, gallery: Gallery) -> AsyncIterator[Start]:
    """Start a replica of the `old` or the `new` release, and return once it is open."""
    await gallery.create_collection("acme", collection())
    started: list[Process] = []

    async def start(number: int, release: str) -> Process:
        command = ("-m", "tests.store.database.rolling", url, str(number), release)
        process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=PIPE)
        started.append(process)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"open\n"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end(replica: Process) -> tuple[int, list[str]]:
    """Stop a replica; return how many rounds it made and what failed."""
    replica.terminate()
    output, _ = await asyncio.wait_for(replica.communicate(), 30)
    answered, *failed = output.decode().splitlines()
    return int(answered), failed


async def test_a_rolling_change_of_the_schema_loses_no_request(
    url: str, start: Start, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await start(1, "old")
    with monkeypatch.context() as newer:
        newer.setattr(schema, "migrations", lambda: (*KNOWN, NEXT))
        assert await apply_migrations(url) == [NEXT]
    restarted, after = await asyncio.gather(start(2, "old"), start(3, "new"))
    await asyncio.sleep(0.5)

    ended = [await end(replica) for replica in (before, restarted, after)]

    assert [failed for _, failed in ended] == [[], [], []]
    assert min(answered for answered, _ in ended) > 0
    assert await connection.fetchval("select count(*) from persons") == 0
    assert await schema.schema_version(connection) == CURRENT + 1


async def test_a_change_that_does_not_leave_the_release_before_working_keeps_it_from_starting(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking = Migration(NEXT.version, NEXT.name, NEXT.sql, works_from=NEXT.version, is_transactional=True)
    with monkeypatch.context() as newer:
        newer.setattr(schema, "migrations", lambda: (*KNOWN, breaking))
        await apply_migrations(url)

    with pytest.raises(SchemaMismatch):
        await Gallery.open(url)
