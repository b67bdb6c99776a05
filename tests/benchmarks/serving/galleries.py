"""The galleries of the plain baselines: 10,000 embeddings in PostgreSQL, as arrays or in pgvector.

`array` is what a first version does: an ARRAY(Float) column, every row fetched, a cosine in Python for each.
`pgvector` is its next step: a vector column, an HNSW index, one ORDER BY.
"""

import math
import time
from collections.abc import Sequence
from typing import Literal

import asyncpg
import numpy as np

from store.embedded.local import temporary_postgres

Gallery = Literal["none", "array", "pgvector"]
FACES = 10_000
DIMENSION = 512
COLUMN_TYPES = {"array": "double precision[]", "pgvector": f"vector({DIMENSION})"}


async def fill(url: str, gallery: Gallery, faces: int = FACES) -> None:
    """Create the table of `gallery` in an empty database, with so many random unit vectors."""
    embeddings = np.random.default_rng(5).standard_normal((faces, DIMENSION))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("create extension if not exists vector")
        await connection.execute(
            f"create table faces (person text primary key, embedding {COLUMN_TYPES[gallery]} not null)"
        )
        await connection.executemany(
            f"insert into faces (person, embedding) values ($1, $2::double precision[]::{COLUMN_TYPES[gallery]})",
            [(f"p{number}", row.tolist()) for number, row in enumerate(embeddings)],
        )
        if gallery == "pgvector":
            await connection.execute("create index on faces using hnsw (embedding vector_cosine_ops)")
        await connection.execute("analyze faces")
    finally:
        await connection.close()


async def best_match(connection: asyncpg.Connection, gallery: Gallery, probe: Sequence[float]) -> tuple[str, float]:
    """Return who is nearest to `probe`, and the cosine."""
    if gallery == "array":
        rows = await connection.fetch("select person, embedding from faces")
        return max(((row["person"], cosine(probe, row["embedding"])) for row in rows), key=lambda match: match[1])
    row = await connection.fetchrow(
        """
        select person, 1 - (embedding <=> $1::double precision[]::vector) as similarity
        from faces
        order by embedding <=> $1::double precision[]::vector
        limit 1
        """,
        probe,
    )
    return row["person"], row["similarity"]


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the cosine of two vectors, term by term."""
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / (math.sqrt(sum(a * a for a in one)) * math.sqrt(sum(b * b for b in other)))


async def search_times_ms(gallery: Gallery, count: int) -> list[float]:
    """Return how long each of `count` searches takes alone, on a database of its own."""
    with temporary_postgres() as postgres:
        await fill(postgres.url, gallery)
        connection = await asyncpg.connect(postgres.url)
        try:
            probes = np.random.default_rng(6).standard_normal((count + 1, DIMENSION)).tolist()
            times_ms = []
            for probe in probes:
                started = time.perf_counter()
                await best_match(connection, gallery, probe)
                times_ms.append((time.perf_counter() - started) * 1000)
            return times_ms[1:]
        finally:
            await connection.close()
