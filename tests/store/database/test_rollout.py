"""A change of the schema while replicas of the release before and of the one after work side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from store.database import schema
from store.database.migrate import apply_migrations
from store.database.schema import Migration, migrations
from store.errors import SchemaMismatch
from store.gallery import Gallery
from store.types import NewPerson
from tests.store.faces import CONTRACT, collection, embedding, face
from tests.store.waiting import eventually

VERSION = migrations()[-1].version
# As a next release would: a column that it needs filled, an index, a table of its own.
EXPAND = Migration(
    VERSION + 1,
    "remember_nicknames",
    """
    alter table persons add column nickname text not null default '';
    create table visits (person_pk bigint references persons on delete cascade);
    """,
    works_from=VERSION,
)
INDEX = Migration(
    VERSION + 2,
    "index_nicknames",
    "create index concurrently persons_nickname on persons (collection_pk, nickname);",
    works_from=VERSION,
    is_transactional=False,
)
CONTRACT_SCHEMA = Migration(VERSION + 3, "drop_names", "alter table persons drop column name", works_from=VERSION + 2)


@contextmanager
def release(*added: Migration) -> Iterator[None]:
    """Be the release that knows these migrations as well, for whoever starts inside."""
    known = (*migrations(), *added)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "migrations", lambda: known)
        yield


async def test_a_rolling_change_of_the_schema_loses_no_request(
    url: str, connection: asyncpg.Connection, open_gallery: Callable[..., Awaitable[Gallery]]
) -> None:
    before = await open_gallery()
    await before.create_collection("acme", collection())
    serving, enrolled = [before], 0
    is_over = asyncio.Event()

    async def client(number: int) -> None:
        """Enrol, search and rename, against each replica in turn, until the rollout is over."""
        nonlocal enrolled
        requests = 0
        while not is_over.is_set() or requests < 5:
            gallery = serving[requests % len(serving)]
            id = f"person-{number}-{requests}"
            await gallery.enroll_person("acme", "staff", NewPerson(id), [face(seed=number)], CONTRACT.id)
            await gallery.search("acme", "staff", CONTRACT.id, embedding(number)[None], 1)
            await gallery.update_person("acme", "staff", id, {"name": id})
            enrolled, requests = enrolled + 1, requests + 1

    async with asyncio.TaskGroup() as clients:
        for number in range(4):
            clients.create_task(client(number))
        with release(EXPAND, INDEX):
            await apply_migrations(url)
            after = await open_gallery()
        serving.append(after)
        serving.append(await open_gallery())  # the release before, on a replica that a node's death moved
        served_by_both = enrolled + 12

        async def is_served_by_both() -> bool:
            return enrolled >= served_by_both

        await eventually(is_served_by_both)
        is_over.set()

    assert await after.statistics("acme") == await before.statistics("acme")
    assert (await after.statistics("acme")).persons == enrolled
    assert await connection.fetchval("select count(*) from persons where name = id and nickname = ''") == enrolled


async def test_a_release_goes_on_only_with_the_schemas_that_say_so(url: str) -> None:
    with release(EXPAND, INDEX, CONTRACT_SCHEMA):
        await apply_migrations(url)

    with release(EXPAND, INDEX):
        await (await Gallery.open(url, min_connections=0)).close()
        applied = await apply_migrations(url)
    with release(EXPAND), pytest.raises(SchemaMismatch) as raised:
        await Gallery.open(url)

    assert applied == []
    assert (raised.value.expected, raised.value.found) == (VERSION + 1, VERSION + 3)
