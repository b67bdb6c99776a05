"""Brings a database to the schema of this release, while replicas work on it. Run by the CLI, never by a replica."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg

from store.database import schema
from store.database.driver import Connection, driver_errors
from store.database.schema import Migration
from store.errors import UnsupportedDatabase

MIN_POSTGRES = 15
MIN_PGVECTOR = (0, 8, 4)  # 0.8.2 fixed CVE-2026-3172, 0.8.3 index corruption by vacuum, 0.8.4 unrepaired graphs
MIGRATION_LOCK = 7_236_410_001  # advisory lock key, ours alone
TURN_PAUSE_S = 0.1

# Who waits for a lock on a table makes all later statements on it wait, too: give up soon, and try again.
LOCK_TIMEOUT_MS = 500
LOCK_PAUSE_S = 1.0
LOCK_ATTEMPTS = 120

HISTORY = """
    create table if not exists schema_migrations (
        version integer primary key,
        name text not null,
        applied_at timestamptz not null default now()
    );
    alter table schema_migrations add column if not exists works_from integer;
"""


async def apply_migrations(url: str) -> list[Migration]:
    """Apply what the database lacks, each migration in a transaction unless it says otherwise; return those applied.

    Migrators wait for each other. Creates the extension `vector`, which may need a superuser.
    Raises UnsupportedDatabase, SchemaMismatch (this release does not work with the newer schema that is there),
    StoreUnavailable, DatabaseRefused.
    """
    with driver_errors():
        connection = await asyncpg.connect(url, server_settings={"application_name": "faceserve migrate"})
        try:
            # Session settings of the server or the role must not cut a long migration short.
            await connection.execute("set statement_timeout = 0; set lock_timeout = 0")
            await _wait_for_turn(connection)
            await _create_extension(connection)
            await check_support(connection)
            return await _apply_missing(connection)
        finally:
            await connection.close()


async def check_support(connection: Connection) -> None:
    """Raise UnsupportedDatabase where PostgreSQL or pgvector are older than this release needs."""
    server = connection.get_server_version()
    if server.major < MIN_POSTGRES:
        raise UnsupportedDatabase("PostgreSQL", str(MIN_POSTGRES), f"{server.major}.{server.minor}")
    version = await connection.fetchval("select extversion from pg_extension where extname = 'vector'")
    _check_pgvector(version)


async def _wait_for_turn(connection: Connection) -> None:
    # A session that waits inside `pg_advisory_lock` is one that a concurrent index build waits for: a deadlock.
    while True:
        if await connection.fetchval("select pg_try_advisory_lock($1)", MIGRATION_LOCK):
            return
        await asyncio.sleep(TURN_PAUSE_S)


async def _create_extension(connection: Connection) -> None:
    available = await connection.fetchval(
        "select default_version from pg_available_extensions where name = 'vector'",
    )
    _check_pgvector(available)
    async with connection.transaction():
        await connection.execute("create extension if not exists vector")
        installed = await connection.fetchval("select extversion from pg_extension where extname = 'vector'")
        if _numbers(installed) < MIN_PGVECTOR:
            await connection.execute("alter extension vector update")


async def _apply_missing(connection: Connection) -> list[Migration]:
    known, current = schema.migrations(), await schema.schema_version(connection)
    if current > known[-1].version:
        await schema.check_schema(connection)
        return []
    missing = [migration for migration in known if migration.version > current]
    if missing:
        await connection.execute(HISTORY)
    for migration in missing:
        if migration.is_transactional:
            await _apply_at_once(connection, migration)
        else:
            await _apply_in_steps(connection, migration)
    return missing


async def _apply_at_once(connection: Connection, migration: Migration) -> None:
    async def apply() -> None:
        async with connection.transaction():
            await connection.execute(f"set local lock_timeout = '{LOCK_TIMEOUT_MS}ms'")
            await connection.execute(migration.sql)
            await _remember(connection, migration)

    await _once_locked(apply)


async def _apply_in_steps(connection: Connection, migration: Migration) -> None:
    """Apply each statement on its own. One that fails is repeated with those before it by the next `migrate`."""
    for statement in migration.statements:
        # A concurrent build waits for old transactions, which holds up nobody.
        lock_timeout_ms = 0 if " concurrently " in statement else LOCK_TIMEOUT_MS
        await connection.execute(f"set lock_timeout = '{lock_timeout_ms}ms'")
        await _once_locked(partial(connection.execute, statement))
    await _remember(connection, migration)


async def _once_locked(apply: Callable[[], Awaitable[object]]) -> None:
    """Try until the locks can be had without holding up others for long."""
    for attempt in range(LOCK_ATTEMPTS):
        try:
            await apply()
            return
        except asyncpg.LockNotAvailableError:
            if attempt + 1 == LOCK_ATTEMPTS:
                raise
        await asyncio.sleep(LOCK_PAUSE_S)


async def _remember(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "insert into schema_migrations (version, name, works_from) values ($1, $2, $3)",
        migration.version,
        migration.name,
        migration.works_from,
    )


def _check_pgvector(version: str | None) -> None:
    if version is None or _numbers(version) < MIN_PGVECTOR:
        raise UnsupportedDatabase("pgvector", ".".join(map(str, MIN_PGVECTOR)), version or "none")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
