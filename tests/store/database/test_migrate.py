import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from store.database import migrate, schema
from store.database.migrate import apply_migrations, check_support
from store.database.schema import Migration, check_schema, migrations, schema_version
from store.embedded.local import LocalPostgres
from store.errors import DatabaseRefused, InvalidValue, SchemaMismatch, StoreUnavailable, UnsupportedDatabase
from store.gallery import Gallery
from tests.store.conftest import execute
from tests.store.waiting import eventually

ONE_PERSON = """
    with contract as (
        insert into contracts (id, model_id, model_version, model_digest, dimension, preprocessing_version)
        values ('c', 'm', '1', 'd', 512, '1') returning contract_pk
    ), collection as (
        insert into collections (
            tenant, id, name, description, threshold, contract_pk, detection, search_profile,
            capacity_rows, max_faces_per_person, load_policy, save_face_crops, metadata
        )
        select 'acme', 'staff', '', '', 0.4, contract_pk, '{}', 'fp32_v1', 10, 10, 'eager', false, '{}'
        from contract returning collection_pk
    )
    insert into persons (collection_pk, id, metadata) select collection_pk, 'ada', '{}' from collection
"""


def next_migration(sql: str, *, is_transactional: bool = True) -> Migration:
    """Return a migration after those of this release, which goes on working with it."""
    version = migrations()[-1].version
    return Migration(version + 1, "change", sql, version, is_transactional)


async def is_waiting(connection: asyncpg.Connection, statement: str) -> bool:
    waiting: bool = await connection.fetchval(
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like $1 || '%')",
        statement,
    )
    return waiting


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
    known = (*migrations(), next_migration("create table half (a int); select nonsense"))
    monkeypatch.setattr(schema, "migrations", lambda: known)

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


@pytest.mark.parametrize("works_from", [None, 9998])
async def test_a_newer_schema_that_does_not_say_it_works_is_refused(
    url: str, connection: asyncpg.Connection, works_from: int | None
) -> None:
    await connection.execute(
        "insert into schema_migrations (version, name, works_from) values (9999, 'from_the_future', $1)", works_from
    )

    with pytest.raises(SchemaMismatch):
        await Gallery.open(url)
    with pytest.raises(SchemaMismatch):
        await apply_migrations(url)


async def test_a_migration_outside_a_transaction_can_build_an_index_concurrently_and_be_repeated(
    url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = (
        *migrations(),
        next_migration(
            """
            drop index concurrently if exists persons_name

            create index concurrently persons_name on persons (name)

            select pg_advisory_unlock(1 / (select count(*) from persons))
            """,
            is_transactional=False,
        ),
    )
    monkeypatch.setattr(schema, "migrations", lambda: known)

    with pytest.raises(InvalidValue):
        await apply_migrations(url)
    version_after_failure = await schema_version(connection)
    await connection.execute(ONE_PERSON)
    applied = await apply_migrations(url)

    assert version_after_failure == len(known) - 1
    assert applied == [known[-1]]
    assert await connection.fetchval("select indisvalid from pg_index where indexrelid = 'persons_name'::regclass")


async def test_a_migration_lets_statements_pass_while_it_waits_for_its_lock(
    url: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = (*migrations(), next_migration("alter table persons add column nickname text"))
    monkeypatch.setattr(schema, "migrations", lambda: known)
    monkeypatch.setattr(migrate, "LOCK_PAUSE_S", 0.1)
    long_reader = await asyncpg.connect(url)
    transaction = long_reader.transaction()
    await transaction.start()
    await long_reader.execute("select count(*) from persons")

    migrating = asyncio.create_task(apply_migrations(url))
    await eventually(lambda: is_waiting(connection, "alter table persons"))
    read = await asyncio.wait_for(connection.fetchval("select count(*) from persons"), 10)
    is_under_way = not migrating.done()
    await transaction.rollback()
    applied = await asyncio.wait_for(migrating, 30)
    await long_reader.close()

    assert (read, is_under_way, applied) == (0, True, [known[-1]])


@pytest.mark.parametrize("comment", ["-- Locks nothing.", "-- works-from: 0008", "-- works-from: 7"])
def test_a_migration_must_say_which_release_it_leaves_working(comment: str) -> None:
    with pytest.raises(ValueError, match="works-from"):
        Migration.parse(7, "add_nothing", f"{comment}\n\nselect 1;")


def test_statements_of_a_migration_outside_a_transaction_stand_apart() -> None:
    migration = Migration.parse(
        7,
        "index_names",
        "-- Why.\n-- works-from: 0006\n-- outside a transaction\n\n"
        "drop index a;\n\n-- Once more.\ncreate index a\non b (c);\n",
    )

    assert not migration.is_transactional
    assert migration.statements == ("drop index a;", "-- Once more.\ncreate index a\non b (c);")


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
