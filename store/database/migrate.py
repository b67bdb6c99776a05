"""Brings a database to the schema of this release. Run by the CLI; a replica only checks the version."""

import re
from dataclasses import dataclass
from importlib.resources import files

import asyncpg

from store.database.driver import Connection, driver_errors
from store.errors import SchemaMismatch, UnsupportedDatabase

MIN_POSTGRES = 15
MIN_PGVECTOR = (0, 8, 4)  # 0.8.2 fixed CVE-2026-3172, 0.8.3 index corruption by vacuum, 0.8.4 unrepaired graphs
MIGRATION_LOCK = 7_236_410_001  # advisory lock key, ours alone


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema: `NNNN_verb_noun.sql`."""

    version: int
    name: str
    sql: str


def migrations() -> tuple[Migration, ...]:
    """The migrations of this release, in order."""
    found = []
    for entry in files("store").joinpath("migrations").iterdir():
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name):
            found.append(Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.version))


async def apply_migrations(url: str) -> list[Migration]:
    """Apply what the database lacks, each migration in a transaction of its own; return those applied.

    Migrators wait for each other. Creates the extension `vector`, which may need a superuser.
    Raises UnsupportedDatabase, SchemaMismatch (the database is newer than this release), StoreUnavailable,
    DatabaseRefused.
    """
    with driver_errors():
        connection = await asyncpg.connect(url, server_settings={"application_name": "faceserve migrate"})
        try:
            # Session settings of the server or the role must not cut a long migration short.
            await connection.execute("set statement_timeout = 0; set lock_timeout = 0")
            await connection.execute("select pg_advisory_lock($1)", MIGRATION_LOCK)
            await _create_extension(connection)
            await check_support(connection)
            return await _apply_missing(connection)
        finally:
            await connection.close()


async def schema_version(connection: Connection) -> int:
    """Return the version of the last migration that the database has, 0 for an empty one."""
    if await connection.fetchval("select to_regclass('schema_migrations') is null"):
        return 0
    version: int = await connection.fetchval("select coalesce(max(version), 0) from schema_migrations")
    return version


async def check_support(connection: Connection) -> None:
    """Raise UnsupportedDatabase where PostgreSQL or pgvector are older than this release needs."""
    server = connection.get_server_version()
    if server.major < MIN_POSTGRES:
        raise UnsupportedDatabase("PostgreSQL", str(MIN_POSTGRES), f"{server.major}.{server.minor}")
    version = await connection.fetchval("select extversion from pg_extension where extname = 'vector'")
    _check_pgvector(version)


async def check_schema(connection: Connection) -> None:
    """Raise SchemaMismatch unless the database has exactly the schema of this release."""
    expected, found = migrations()[-1].version, await schema_version(connection)
    if found != expected:
        raise SchemaMismatch(expected, found)


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
    await connection.execute(
        """
        create table if not exists schema_migrations (
            version integer primary key,
            name text not null,
            applied_at timestamptz not null default now()
        )
        """
    )
    known, current = migrations(), await schema_version(connection)
    if current > known[-1].version:
        raise SchemaMismatch(known[-1].version, current)
    missing = [migration for migration in known if migration.version > current]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(
                "insert into schema_migrations (version, name) values ($1, $2)", migration.version, migration.name
            )
    return missing


def _check_pgvector(version: str | None) -> None:
    if version is None or _numbers(version) < MIN_PGVECTOR:
        raise UnsupportedDatabase("pgvector", ".".join(map(str, MIN_PGVECTOR)), version or "none")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))
