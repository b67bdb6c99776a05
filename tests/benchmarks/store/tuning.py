"""What an index's knobs do to one collection: `m`, `ef_construction`, `ef_search`, re-rank depth, other kinds."""

import time
from collections.abc import Sequence
from typing import Any

import asyncpg
import numpy as np
from pgvector import Vector

from store.database.pool import PoolSettings, open_pool
from store.tables.rows import index_name
from tests.benchmarks.store.galleries import LARGE, PHOTOS, STATEMENT_TIMEOUT_S, fill_large, large_keys, opened
from tests.benchmarks.store.loading import person_id
from tests.benchmarks.store.measuring import LIMIT, recall, times
from tests.benchmarks.store.truth import Numbers, nearest_persons
from tests.benchmarks.store.vectors import Embeddings, Population, persons, probes

PROBES = 1000
TIMED = 300
BUILD_MEMORY = "1GB"

# Kind of index: how it is made, what a search of $1 (probe) for $2 candidates orders by, and what is set for it.
HALF = "embedding::halfvec(512)"
BITS = "binary_quantize(embedding)::bit(512)"
IVFFLAT = {
    "IVFFlat": (
        f"ivfflat (({HALF}) halfvec_cosine_ops) with (lists = {{lists}})",
        f"{HALF} <=> $1::vector::halfvec(512)",
    ),
    "IVFFlat over bits": (
        f"ivfflat (({BITS}) bit_hamming_ops) with (lists = {{lists}})",
        f"{BITS} <~> binary_quantize($1::vector)",
    ),
}
BINARY = (
    f"hnsw (({BITS}) bit_hamming_ops) with (m = 16, ef_construction = 128)",
    f"{BITS} <~> binary_quantize($1::vector)",
)


async def measure_hnsw(
    url: str, faces: int, graphs: Sequence[tuple[int, int]], searches: Sequence[tuple[int, int]]
) -> list[dict[str, Any]]:
    """Return a row for each of `graphs` (m, ef_construction) and of `searches` (ef_search, rerank), by the gallery."""
    population = Population()
    await fill_large(url, population, faces)
    asked, truth = _asked(population, faces)
    rows: list[dict[str, Any]] = []
    for m, ef_construction in graphs:
        definition = f"hnsw (({HALF}) halfvec_cosine_ops) with (m = {m}, ef_construction = {ef_construction})"
        built = await _build(url, definition)
        for ef_search, rerank in searches:
            async with opened(url, exact_below=faces, ef_search=ef_search, rerank=rerank) as gallery:
                found = await recall(gallery, LARGE, asked, truth)
                taken = await times(url, gallery, LARGE, asked[:TIMED])
            rows.append(
                {"m": m, "ef_construction": ef_construction, "ef_search": ef_search, "rerank": rerank}
                | built
                | {
                    "p50_ms": taken.p50_ms,
                    "p99_ms": taken.p99_ms,
                    "cpu_ms": taken.cpu_ms,
                    "recall_1": found.first,
                    "recall_10": found.ten,
                }
            )
            print(rows[-1], flush=True)
    return rows


async def measure_alternatives(url: str, faces: int) -> list[dict[str, Any]]:
    """Return rows for IVFFlat and for indexes over the embeddings' signs, each re-ranked by the exact distance.

    By the bare statement, without the gallery's other reads, so that they favour the alternatives by about 1 ms.
    """
    population = Population()
    await fill_large(url, population, faces)
    asked, truth = _asked(population, faces)
    rows: list[dict[str, Any]] = []
    lists = max(10, faces // 1000)  # pgvector's advice up to a million rows
    for name, (definition, order) in IVFFLAT.items():
        built = await _build(url, definition.format(lists=lists))
        for ivf_probes in (1, 4, 10, 20, 40, 80):
            if ivf_probes <= lists:
                measured = await _bare(url, order, 100, {"ivfflat.probes": ivf_probes}, asked, truth)
                rows.append({"index": f"{name}, {lists} lists", "searched": f"probes {ivf_probes}"} | built | measured)
    built = await _build(url, BINARY[0])
    for depth in (100, 200, 400, 1000):
        measured = await _bare(url, BINARY[1], depth, {"hnsw.ef_search": depth}, asked, truth)
        rows.append({"index": "HNSW over bits", "searched": f"ef_search {depth}, all re-ranked"} | built | measured)
    return rows


def _asked(population: Population, faces: int) -> tuple[Embeddings, Numbers]:
    asked = probes(population, min(PROBES, faces // PHOTOS), PHOTOS)
    return asked, nearest_persons(persons(population, faces // PHOTOS, PHOTOS), asked, LIMIT)


async def _build(url: str, definition: str) -> dict[str, Any]:
    """Put an index in the place of the collection's own; return what it took."""
    connection = await asyncpg.connect(url)
    try:
        collection_pk, contract_pk = await large_keys(connection)
        name = index_name(collection_pk, contract_pk)
        await connection.execute(f"drop index if exists {name}")
        await connection.execute(f"set maintenance_work_mem = '{BUILD_MEMORY}'")
        started = time.perf_counter()
        await connection.execute(
            f"create index {name} on embeddings using {definition}"
            f" where collection_pk = {collection_pk} and contract_pk = {contract_pk}"
        )
        seconds = time.perf_counter() - started
        size = await connection.fetchval("select pg_relation_size($1::regclass)", name)
        return {"seconds": seconds, "megabytes": size / 1e6}
    finally:
        await connection.close()


async def _bare(
    url: str, order: str, depth: int, settings: dict[str, int], asked: Embeddings, truth: Numbers
) -> dict[str, Any]:
    pool = await open_pool(url, PoolSettings(statement_timeout_s=STATEMENT_TIMEOUT_S))
    async with pool, pool.acquire() as connection:
        for name, value in settings.items():
            await connection.execute(f"set {name} = {value}")
        collection_pk, contract_pk = await large_keys(connection)
        statement = await connection.prepare(
            f"""
            with candidates as materialized (
                select face_pk, embedding <=> $1::vector as distance
                from embeddings
                where collection_pk = {collection_pk} and contract_pk = {contract_pk}
                order by {order}
                limit $2
            )
            select persons.id
            from candidates
            join faces using (face_pk)
            join persons using (person_pk)
            order by distance
            limit 1
            """
        )
        found, times_ms = [], []
        for probe, nearest in zip(asked, truth, strict=True):
            started = time.perf_counter()
            id = await statement.fetchval(Vector(probe), depth)
            times_ms.append(1000 * (time.perf_counter() - started))
            found.append(id == person_id(nearest[0]))
        p50, p99 = np.quantile(times_ms, (0.5, 0.99))
        return {"p50_ms": float(p50), "p99_ms": float(p99), "recall_1": float(np.mean(found))}
