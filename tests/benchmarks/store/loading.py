"""Fills collections past the gallery: COPY into its tables, 20 times as fast as enrolment."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg
from pgvector import Vector

from store.database.pool import PoolSettings, open_pool
from store.gallery import Gallery
from store.tables.values import new_uuids
from tests.benchmarks.store.vectors import Embeddings
from tests.store.faces import collection

TENANT = "acme"
FACE_COLUMNS = (
    "face_pk",
    "face_id",
    "person_pk",
    "collection_pk",
    "box_left",
    "box_top",
    "box_right",
    "box_bottom",
    "image_width",
    "image_height",
    "detection_score",
    "quality",
    "source",
)


@asynccontextmanager
async def loading(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to `load` with; afterwards the tables are vacuumed, analysed and on disk. No other may write."""
    pool = await open_pool(url, PoolSettings(statement_timeout_s=3600.0))
    try:
        async with pool.acquire() as connection:
            # The rows are right by construction: no trigger looks each foreign key up.
            await connection.execute("set session_replication_role = replica")
            await connection.execute("set idle_in_transaction_session_timeout = 0")  # embeddings take time to make
            yield connection
            await connection.execute("vacuum (analyze) collections, persons, faces, embeddings")
            await connection.execute("checkpoint")
    finally:
        await pool.close()


async def load(connection: asyncpg.Connection, gallery: Gallery, id: str, persons: Iterable[Embeddings]) -> int:
    """Fill the new collection `id` with `persons`, float32 (n, photos, 512) at a time; return how many faces.

    Person number n, from 0, gets the id `person_id(n)`. All of it is committed at once.
    """
    await gallery.create_collection(TENANT, collection(id=id, capacity_rows=10_000_000))
    people = faces = 0
    async with connection.transaction():
        for block in persons:
            await _copy(connection, id, block, people)
            people += len(block)
            faces += len(block) * block.shape[1]
        await connection.execute(
            "update collections set person_count = $2, face_count = $3 where id = $1", id, people, faces
        )
    return faces


def person_id(number: int) -> str:
    """The id of the person with this number."""
    return f"p{number:07}"


async def _copy(connection: asyncpg.Connection, id: str, block: Embeddings, first: int) -> None:
    keys = await connection.fetchrow("select collection_pk, contract_pk from collections where id = $1", id)
    collection_pk, contract_pk = keys["collection_pk"], keys["contract_pk"]
    count, photos, _ = block.shape
    person_pks = await _reserve(connection, "persons", "person_pk", count)
    face_pks = await _reserve(connection, "faces", "face_pk", count * photos)
    people = [
        (person_pk, collection_pk, person_id(first + number), {}, photos) for number, person_pk in enumerate(person_pks)
    ]
    columns: tuple[str, ...] = ("person_pk", "collection_pk", "id", "metadata", "face_count")
    await connection.copy_records_to_table("persons", records=people, columns=columns)
    faces = [
        (face_pk, face_id, person_pks[number // photos], collection_pk, 0.0, 0.0, 1.0, 1.0, 10, 10, 0.9, {}, "server")
        for number, (face_pk, face_id) in enumerate(zip(face_pks, new_uuids(count * photos), strict=True))
    ]
    await connection.copy_records_to_table("faces", records=faces, columns=FACE_COLUMNS)
    embeddings = (
        (face_pk, contract_pk, collection_pk, Vector(vector))
        for face_pk, vector in zip(face_pks, block.reshape(-1, 512), strict=True)
    )
    columns = ("face_pk", "contract_pk", "collection_pk", "embedding")
    await connection.copy_records_to_table("embeddings", records=embeddings, columns=columns)


async def _reserve(connection: asyncpg.Connection, table: str, column: str, count: int) -> range:
    """Take `count` numbers in a row from the column's sequence."""
    first = await connection.fetchval(
        """
        select setval(
            sequence, nextval(sequence) + $3 - 1
        ) - $3 + 1
        from (select pg_get_serial_sequence($1, $2)::regclass as sequence)
        """,
        table,
        column,
        count,
    )
    return range(first, first + count)
