import asyncio
from collections.abc import Awaitable, Callable

import numpy as np
import pytest

from store.database.pool import Database, PoolSettings, open_pool
from store.embedded.local import LocalPostgres
from store.errors import InvalidValue, StoreUnavailable
from store.gallery import Gallery
from tests.store.faces import CONTRACT, collection, embedding


async def test_sessions_are_set_up_by_the_startup_packet(url: str) -> None:
    pool = await open_pool(url, PoolSettings(ef_search=123, statement_timeout_s=1.5))
    names = ("hnsw.ef_search", "hnsw.iterative_scan", "jit", "statement_timeout", "application_name")

    async with pool.acquire() as connection:
        values = [await connection.fetchval(f"show {name}") for name in names]
    async with pool.acquire() as connection:
        again = [await connection.fetchval(f"show {name}") for name in names]

    assert values == again == ["123", "off", "off", "1500ms", "faceserve"]
    await pool.close()


async def test_vectors_travel_as_float32_arrays(url: str) -> None:
    pool = await open_pool(url, PoolSettings())
    sent = embedding(1)

    received = await pool.fetchval("select $1::vector", sent)

    assert isinstance(received, np.ndarray)
    assert received.dtype == np.float32
    assert np.array_equal(received, sent)
    await pool.close()


async def test_json_travels_as_values(url: str) -> None:
    pool = await open_pool(url, PoolSettings())
    sent = {"a": [1, 2.5, None, "ä"], "b": {}}

    assert await pool.fetchval("select $1::jsonb", sent) == sent
    await pool.close()


@pytest.mark.parametrize(
    "settings",
    [
        {"ef_search": 0},
        {"ef_search": 1001},
        {"min_connections": 3, "max_connections": 2},
        {"max_connections": 0, "min_connections": 0},
        {"statement_timeout_s": 0},
        {"exact_below": 0},
        {"rerank": 1001},
    ],
)
async def test_settings_out_of_bounds_are_refused(url: str, settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot keep|expected"):
        await Gallery.open(url, **settings)  # type: ignore[arg-type]


async def test_a_database_that_waiting_cannot_bring_fails_at_once(postgres: LocalPostgres) -> None:
    for url in (postgres.url_of("no_such_database"), "mysql://root@localhost/x"):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(Gallery.open(url, wait_s=60.0), 10.0)


async def test_ef_search_changes_while_searches_run(open_gallery: Callable[..., Awaitable[Gallery]]) -> None:
    gallery = await open_gallery(ef_search=50)
    await gallery.create_collection("acme", collection())
    probes = embedding(1)[None]

    async def search_on() -> None:
        for _ in range(30):
            await gallery.search("acme", "staff", CONTRACT.id, probes, 5)

    searching = [asyncio.create_task(search_on()) for _ in range(4)]
    for ef_search in (100, 200, 300):
        await gallery.reconfigure(ef_search=ef_search)
    await asyncio.gather(*searching)

    shown = await gallery._database.read(lambda connection: connection.fetchval("show hnsw.ef_search"))
    assert shown == "300"


async def test_a_statement_under_way_ends_on_the_former_pool(url: str) -> None:
    database = await Database.open(url, PoolSettings(ef_search=50))
    has_begun = asyncio.Event()

    async def slow(connection: object) -> str:
        has_begun.set()
        await connection.execute("select pg_sleep(0.2)")  # type: ignore[attr-defined]
        return await connection.fetchval("show hnsw.ef_search")  # type: ignore[attr-defined]

    under_way = asyncio.create_task(database.read(slow))
    await has_begun.wait()
    await database.change_ef_search(60)

    assert await under_way == "50"
    assert await database.read(lambda connection: connection.fetchval("show hnsw.ef_search")) == "60"
    await database.close()


async def test_a_value_out_of_bounds_leaves_the_pool_as_it_was(gallery: Gallery) -> None:
    with pytest.raises(ValueError, match="1001"):
        await gallery.reconfigure(ef_search=1001)

    await gallery.ping()


async def test_a_statement_that_takes_too_long_is_unavailable(url: str) -> None:
    database = await Database.open(url, PoolSettings(statement_timeout_s=0.1))

    with pytest.raises(StoreUnavailable):
        await database.read(lambda connection: connection.execute("select pg_sleep(10)"))

    assert await database.read(lambda connection: connection.fetchval("select 1")) == 1
    await database.close()


async def test_a_pool_without_a_free_connection_is_unavailable(url: str) -> None:
    settings = PoolSettings(max_connections=1, acquire_timeout_s=0.05)
    database = await Database.open(url, settings)
    release = asyncio.Event()

    async def hold(connection: object) -> None:
        await release.wait()

    holding = asyncio.create_task(database.read(hold))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable):
        await database.read(lambda connection: connection.fetchval("select 1"))
    release.set()

    await holding
    await database.close()


async def test_a_cancelled_write_is_rolled_back_and_frees_its_connection(url: str) -> None:
    database = await Database.open(url, PoolSettings(max_connections=1))
    has_written = asyncio.Event()

    async def write(connection: object) -> None:
        await connection.execute(  # type: ignore[attr-defined]
            "insert into idempotency_keys (tenant, key, fingerprint, note) values ('a', 'b', '', '')"
        )
        has_written.set()
        await asyncio.Event().wait()

    writing = asyncio.create_task(database.write(write))
    await has_written.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing

    assert await database.read(lambda connection: connection.fetchval("select count(*) from idempotency_keys")) == 0
    await database.close()


async def test_a_value_that_only_the_driver_refuses_is_invalid(gallery: Gallery) -> None:
    with pytest.raises(InvalidValue):
        await gallery.list_collections("acme", limit=2**80)


async def test_errors_of_ours_pass_through_and_roll_back(url: str) -> None:
    database = await Database.open(url, PoolSettings())

    async def fail(connection: object) -> None:
        await connection.execute(  # type: ignore[attr-defined]
            "insert into idempotency_keys (tenant, key, fingerprint, note) values ('a', 'b', '', '')"
        )
        raise KeyError("ours")

    with pytest.raises(KeyError):
        await database.write(fail)

    assert await database.read(lambda connection: connection.fetchval("select count(*) from idempotency_keys")) == 0
    await database.close()
