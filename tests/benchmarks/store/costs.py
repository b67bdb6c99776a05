"""What the store costs: `uv run python -m tests.benchmarks.store.costs --faces 20000`. Not collected by pytest."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np
import numpy.typing as npt

from store.database.migrate import apply_migrations
from store.embedded.local import temporary_postgres
from store.gallery import Gallery
from store.types import NewPerson, SearchOutcome
from store.upkeep.indexing import IndexKeeper
from tests.benchmarks.store.loading import load, loading
from tests.store.faces import CONTRACT, collection, face, identities

Embeddings = npt.NDArray[np.float32]

PHOTOS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=20_000)
    parser.add_argument("--beside", type=int, default=0, help="faces of another collection in the same tables")
    options = parser.parse_args()
    started = time.perf_counter()
    with temporary_postgres() as postgres:
        print(f"embedded PostgreSQL, first start: {time.perf_counter() - started:.2f} s")
        asyncio.run(measure(postgres.url, options.faces, options.beside))


async def measure(url: str, faces: int, beside: int) -> None:
    await apply_migrations(url)
    gallery = await Gallery.open(url, exact_below=10**9, statement_timeout_s=60.0)
    await measure_writes(gallery)
    photos = identities(faces // PHOTOS, PHOTOS + 1)
    probes = photos[:, PHOTOS]
    started = time.perf_counter()
    async with loading(url) as connection:
        await load(connection, gallery, "large", [photos[:, :PHOTOS]])
        print(f"bulk load: {faces / (time.perf_counter() - started):.0f} faces/s")
        if beside:
            await load(connection, gallery, "beside", [identities(beside // PHOTOS, PHOTOS, seed=9)])

    print(f"{faces} faces, {beside} beside")
    await report("exact", gallery, probes)
    exact = [await search(gallery, probes[n : n + 1]) for n in range(100)]
    await gallery.reconfigure(exact_below=faces)
    keeper = IndexKeeper(url, lambda: gallery.settings)
    started = time.perf_counter()
    await keeper.run_once()
    print(f"index built in {time.perf_counter() - started:.1f} s")
    for ef_search in (40, 100, 200):
        await gallery.reconfigure(ef_search=ef_search, rerank=min(ef_search, 100))
        await report(f"indexed, ef_search {ef_search}", gallery, probes)
        indexed = [await search(gallery, probes[n : n + 1]) for n in range(100)]
        same = [a.candidates[0][0] == b.candidates[0][0] for a, b in zip(exact, indexed, strict=True)]
        print(f"  same best person as exact: {np.mean(same):.3f}")

    started = time.perf_counter()
    await gallery.delete_collection("acme", "large", force=True)
    print(f"delete the collection: {1000 * (time.perf_counter() - started):.1f} ms")
    started = time.perf_counter()
    await keeper.run_once()
    print(f"remove its rows: {faces / (time.perf_counter() - started):.0f} faces/s")
    await keeper.close()
    await gallery.close()


async def measure_writes(gallery: Gallery) -> None:
    """Enrol persons of one face, in one collection and in eight, from eight clients on four connections."""
    vectors = identities(1600, 1)[:, 0]
    for collections in (1, 8):
        for number in range(collections):
            await gallery.create_collection("acme", collection(id=f"writes-{collections}-{number}"))

        async def enroll(client: int, collections: int = collections) -> None:
            id = f"writes-{collections}-{client % collections}"
            for vector in vectors[client::8]:
                await gallery.enroll_person("acme", id, NewPerson(), [face(vector)], CONTRACT.id)

        started = time.perf_counter()
        await asyncio.gather(*(enroll(client) for client in range(8)))
        rate = len(vectors) / (time.perf_counter() - started)
        print(f"enrolments, {collections} collection(s): {rate:.0f} persons/s")


async def report(name: str, gallery: Gallery, probes: Embeddings) -> None:
    for count in (1, 5):
        batches = [probes[n : n + count] for n in range(0, 60)]
        times_ms = await timed(lambda n, batches=batches: search(gallery, batches[n]), len(batches))  # type: ignore[misc]
        print(f"{name}, {count} probe(s): p50 {np.median(times_ms):.1f} ms, p95 {np.quantile(times_ms, 0.95):.1f} ms")
    started = time.perf_counter()

    async def client(first: int) -> None:
        for n in range(first, first + 25):
            await search(gallery, probes[n : n + 1])

    await asyncio.gather(*(client(first) for first in range(0, 100, 25)))
    print(f"{name}, 4 clients: {100 / (time.perf_counter() - started):.0f} searches/s")


async def search(gallery: Gallery, probes: Embeddings) -> SearchOutcome:
    return await gallery.search("acme", "large", CONTRACT.id, probes, 10)


async def timed(operation: Callable[[int], Awaitable[object]], count: int) -> list[float]:
    times_ms = []
    for number in range(count):
        started = time.perf_counter()
        await operation(number)
        times_ms.append(1000 * (time.perf_counter() - started))
    return times_ms[5:]


if __name__ == "__main__":
    main()
