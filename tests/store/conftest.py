from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import asyncpg
import pytest

from store.embedded.local import LocalPostgres
from store.gallery import Gallery
from tests.conftest import create_database


@pytest.fixture
async def empty_url(postgres: LocalPostgres, database_numbers: Iterator[int]) -> str:
    """The URL of a database without a schema."""
    name = f"empty_{next(database_numbers)}"
    await create_database(postgres, name)
    return postgres.url_of(name)


@pytest.fixture
async def url(postgres: LocalPostgres, template: str, database_numbers: Iterator[int]) -> AsyncIterator[str]:
    """The URL of a migrated database of the test's own, 8 MB that go with it."""
    name = f"gallery_{next(database_numbers)}"
    await create_database(postgres, name, template)
    yield postgres.url_of(name)
    await execute(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def open_gallery(url: str) -> AsyncIterator[Callable[..., Awaitable[Gallery]]]:
    """Open galleries on the test's database, all closed at its end."""
    opened: list[Gallery] = []

    async def open_one(**settings: object) -> Gallery:
        settings.setdefault("min_connections", 0)
        opened.append(await Gallery.open(url, **settings))  # type: ignore[arg-type]
        return opened[-1]

    yield open_one
    for gallery in opened:
        await gallery.close()


@pytest.fixture
async def gallery(open_gallery: Callable[..., Awaitable[Gallery]]) -> Gallery:
    return await open_gallery()


@pytest.fixture
async def connection(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A plain connection to the test's database."""
    opened = await asyncpg.connect(url)
    yield opened
    await opened.close()


async def execute(server: LocalPostgres, sql: str) -> None:
    connection = await asyncpg.connect(server.url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
