"""Servers with galleries to measure: made once in a directory of their own, and found there the next time."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from configs.tuning import SearchTuning
from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres
from store.errors import CollectionNotFound
from store.gallery import Gallery
from store.tables.rows import index_name
from store.upkeep.indexing import IndexKeeper
from tests.benchmarks.store.loading import TENANT, load, loading
from tests.benchmarks.store.vectors import Population, persons

LARGE = "large"
SIGN_FACES = SearchTuning().sign_faces  # as the service does
PHOTOS = 2  # per person; a probe is a third
STATEMENT_TIMEOUT_S = 600.0


@dataclass(frozen=True, slots=True)
class Index:
    """What the index of a collection took to build, and its size."""

    seconds: float
    megabytes: float


@contextmanager
def server(data: Path | None, name: str) -> Iterator[str]:
    """The URL of a migrated server in `data`/`name`, or of a throwaway one."""
    with TemporaryDirectory(prefix="faceserve-search-", ignore_cleanup_errors=True) as throwaway:
        directory = (data or Path(throwaway)) / name
        with LocalPostgres(directory) as postgres:
            asyncio.run(apply_migrations(postgres.url))
            yield postgres.url


@asynccontextmanager
async def opened(url: str, **settings: int) -> AsyncIterator[Gallery]:
    """A gallery on the server, closed afterwards."""
    gallery = await Gallery.open(url, statement_timeout_s=STATEMENT_TIMEOUT_S, **settings)
    try:
        yield gallery
    finally:
        await gallery.close()


async def has_large(url: str, faces: int) -> bool:
    """Whether the collection `large` is there in full. Raises ValueError if it has another number of faces."""
    async with opened(url) as gallery:
        try:
            found = (await gallery.get_collection(TENANT, LARGE)).face_count
        except CollectionNotFound:
            return False
    if found not in (0, faces):
        raise ValueError(f"expected {faces} faces in the data directory, found {found}")
    return found == faces


async def fill_large(url: str, population: Population, faces: int) -> None:
    """Fill the collection `large`, unless it is there."""
    if await has_large(url, faces):
        return
    async with opened(url) as gallery, loading(url) as connection:
        await load(connection, gallery, LARGE, persons(population, faces // PHOTOS, PHOTOS))


async def index_large(url: str, exact_below: int) -> Index:
    """Have the gallery's keeper build the index of `large`, unless it is there; return what it took."""
    async with opened(url, exact_below=exact_below) as gallery:
        keeper = IndexKeeper(url, lambda: gallery.settings)
        started = time.perf_counter()
        built = (await keeper.run_once()).built
        seconds = time.perf_counter() - started
        await keeper.close()
    connection = await asyncpg.connect(url)
    try:
        collection_pk, contract_pk = await large_keys(connection)
        name = index_name(collection_pk, contract_pk)
        if built:  # kept with the index, for the next measurement of the same directory
            await connection.execute(f"comment on index {name} is '{seconds:.1f}'")
        size, noted = await connection.fetchrow(
            "select pg_relation_size($1::regclass), obj_description($1::regclass)", name
        )
        return Index(float(noted), size / 1e6)
    finally:
        await connection.close()


async def large_keys(connection: asyncpg.Connection) -> tuple[int, int]:
    """The keys of the collection `large` and its contract."""
    row = await connection.fetchrow("select collection_pk, contract_pk from collections where id = $1", LARGE)
    return row["collection_pk"], row["contract_pk"]
