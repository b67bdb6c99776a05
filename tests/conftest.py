"""The database of all tests that need one: a server for the session, a migrated template to copy."""

import itertools
from collections.abc import Iterator

import asyncpg
import pytest

from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres, temporary_postgres

TEMPLATE = "template_of_the_tests"


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """A server for tests that leave it running."""
    with temporary_postgres(settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture(scope="session")
async def template(postgres: LocalPostgres) -> str:
    """The name of a migrated database that others are copied from."""
    await create_database(postgres, TEMPLATE)
    await apply_migrations(postgres.url_of(TEMPLATE))
    return TEMPLATE


@pytest.fixture(scope="session")
def database_numbers() -> Iterator[int]:
    return itertools.count(1)


async def create_database(server: LocalPostgres, name: str, template: str = "template0") -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(f"create database {name} template {template} strategy file_copy")
    finally:
        await connection.close()
