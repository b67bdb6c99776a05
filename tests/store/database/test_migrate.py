import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from store.database import migrate
from store.database.migrate import apply_migrations, check_schema, check_support, migrations, schema_version
from store.embedded.local import LocalPostgres
from store.errors import DatabaseRefused, SchemaMismatch, StoreUnavailable, UnsupportedDatabase
from store.gallery import Gallery
from tests.store.conftest import execute


async def test_all_migrations_are_applied_once(empty_url: str) -> None:
    first = await apply_migrations(empty_url)
    second = await apply_migrations(empty_url)

    assert [migration.version for migration in first] == list(range(1, len(migrations()) + 1))
    assert second == []


async def test_the_version_is_that_of_the_last_migration(empty_url: str) -> None:
    connection = await asyncpg.connect(empty_url)

    before = await schema_version(connection)
    await apply_migrations(empty_url)
    after = await schema_version(connection)

    assert (before, after) == (0, migrations()[-1].version)
    await check_schema(connection)
    await connection.close()


async def test_migrators_at_the_same_time_wait_for_each_other(empty_url: str) -> None:
    applied = await asyncio.gather(*(apply_migrations(empty_url) for _ in range(3)))

    assert sorted(len(migrations) for migrations in applied) == [0, 0, len(migrations())]


async def test_a_failing_migration_leaves_the_schema_as_it_was(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = migrate.Migration(len(migrations()) + 1, "break", "create table half (a int); select nonsense")
    known = (*migrations(), broken)
    monkeypatch.setattr(migrate, "migrations", lambda: known)

    with pytest.raises(asyncpg.UndefinedColumnError):
        await apply_migrations(empty_url)

    connection = await asyncpg.connect(empty_url)
    assert await schema_version(connection) == len(known) - 1
    assert await connection.fetchval("select to_regclass('half')") is None
    await connection.close()


async def test_a_gallery_refuses_an_older_schema(empty_url: str) -> None:
    with pytest.raises(SchemaMismatch) as raised:
        await Gallery.open(empty_url)

    assert (raised.value.expected, raised.value.found) == (len(migrations()), 0)


async def test_a_newer_schema_is_refused(url: str, connection: asyncpg.Connection) -> None:
    await connection.execute("insert into schema_migrations (version, name) values (9999, 'from_the_future')")

    with pytest.raises(SchemaMismatch):
        await Gallery.open(url)
    with pytest.raises(SchemaMismatch):
        await apply_migrations(url)


async def test_old_versions_of_postgres_and_pgvector_are_refused(
    connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "MIN_PGVECTOR", (99, 0, 0))
    with pytest.raises(UnsupportedDatabase) as pgvector:
        await check_support(connection)
    monkeypatch.setattr(migrate, "MIN_POSTGRES", 99)
    with pytest.raises(UnsupportedDatabase) as postgres:
        await check_support(connection)

    assert (pgvector.value.what, pgvector.value.expected) == ("pgvector", "99.0.0")
    assert (postgres.value.what, postgres.value.expected) == ("PostgreSQL", "99")


@pytest.mark.parametrize(
    ("url_of", "told"),
    [
        (lambda server: server.url_of("nowhere"), "there is no database of the name"),
        (lambda _: "nowhere", "expected a URL like postgresql://"),
        (lambda server: server.url.replace("//postgres", "//nobody"), "does not accept the user or the password"),
    ],
    ids=["database", "URL", "user"],
)
async def test_a_database_that_refuses_says_what_it_refuses(
    postgres: LocalPostgres, url_of: Callable[[LocalPostgres], str], told: str
) -> None:
    with pytest.raises(DatabaseRefused, match=told):
        await apply_migrations(url_of(postgres))


async def test_a_user_without_the_privilege_to_migrate_is_told(postgres: LocalPostgres, url: str) -> None:
    await execute(postgres, "create role guest login")
    try:
        with pytest.raises(DatabaseRefused, match="lacks a privilege"):
            await apply_migrations(url.replace("//postgres@", "//guest@"))
    finally:
        await execute(postgres, "drop role guest")


async def test_an_unreachable_database_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        await apply_migrations("postgresql://postgres@127.0.0.1:1/postgres")


def test_each_migration_says_why_and_what_it_locks() -> None:
    for migration in migrations():
        comment = migration.sql.partition("\n\n")[0]
        assert comment.startswith("-- ")
        assert "Locks" in comment or "locks" in comment


async def test_embeddings_are_stored_inline(connection: asyncpg.Connection) -> None:
    storage = await connection.fetchval(
        "select attstorage from pg_attribute where attrelid = 'embeddings'::regclass and attname = 'embedding'"
    )

    assert storage == b"p"
