"""Many small collections in the same tables, and a large one among them."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from store.gallery import Gallery
from tests.benchmarks.store.galleries import LARGE, PHOTOS, SIGN_FACES, fill_large, index_large, opened
from tests.benchmarks.store.loading import load, loading
from tests.benchmarks.store.measuring import Times, read_signs, search, timed
from tests.benchmarks.store.truth import Numbers
from tests.benchmarks.store.vectors import DIMENSION, Embeddings, Population, persons, probes

SMALL_FACES = 1000
SEARCHES = 1000
SMALL = Population(seed=2)


async def measure_many(url: str, collections: int, large_faces: int) -> list[dict[str, Any]]:
    """Return times in `collections` of 1,000 faces, and in these and one of `large_faces` by turns."""
    await _fill_small(url, collections)
    per_collection = SMALL_FACES // PHOTOS
    chosen = np.random.default_rng(3).integers(collections * per_collection, size=SEARCHES)
    asked = _probes_of(chosen, collections * per_collection)

    async def small(gallery: Gallery, number: int) -> bool:
        collection, own = divmod(int(chosen[number]), per_collection)
        (candidates,) = (await search(gallery, f"small-{collection}", asked[number])).candidates
        return candidates[0].person.id == f"p{own:07}"

    rows: list[dict[str, Any]] = []
    async with opened(url) as gallery:
        found = [await small(gallery, number) for number in range(200)]
        for clients in (1, 4):
            taken = await timed(url, lambda number: small(gallery, number), range(SEARCHES), clients)
            rows.append(_row(f"{collections} of 1,000 faces", clients, taken, float(np.mean(found))))

    await fill_large(url, Population(), large_faces)
    await index_large(url, large_faces)
    large_asked = probes(Population(), SEARCHES // 2, PHOTOS)
    async with opened(url, exact_below=large_faces, sign_faces=SIGN_FACES) as gallery:
        await read_signs(gallery, LARGE, large_asked[0])

        async def either(number: int) -> bool:
            if number % 2:
                return await small(gallery, number)
            (candidates,) = (await search(gallery, LARGE, large_asked[number // 2])).candidates
            return candidates[0].person.id == f"p{number // 2:07}"

        found = [await either(number) for number in range(200)]
        for clients in (1, 4):
            taken = await timed(url, either, range(SEARCHES), clients)
            rows.append(_row(f"these and one of {large_faces:,}, by turns", clients, taken, float(np.mean(found))))
    return rows


async def _fill_small(url: str, collections: int) -> None:
    async with opened(url) as gallery:
        if (await gallery.statistics("acme")).collections >= collections:
            return
        async with loading(url) as connection:
            for number, block in enumerate(_slices(collections)):
                await load(connection, gallery, f"small-{number}", [block])


def _slices(collections: int) -> Iterator[Embeddings]:
    per_collection = SMALL_FACES // PHOTOS
    for block in persons(SMALL, collections * per_collection, PHOTOS):
        yield from np.split(block, range(per_collection, len(block), per_collection))


def _probes_of(chosen: Numbers, count: int) -> Embeddings:
    """Return a further photo of each of the persons `chosen` out of `count`."""
    asked = np.empty((len(chosen), DIMENSION), np.float32)
    first = 0
    for block in persons(SMALL, count, PHOTOS + 1):
        mine = (chosen >= first) & (chosen < first + len(block))
        asked[mine] = block[chosen[mine] - first, PHOTOS]
        first += len(block)
    return asked


def _row(what: str, clients: int, taken: Times, own_person: float) -> dict[str, Any]:
    return {
        "what": what,
        "clients": clients,
        "p50_ms": taken.p50_ms,
        "p99_ms": taken.p99_ms,
        "cpu_ms": taken.cpu_ms,
        "per_second": taken.per_second,
        "own_person": own_person,
    }
