"""An indexed collection that changes: enrolment and search at once, and search after many deletes."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import asyncpg
import numpy as np

from store.gallery import Gallery
from store.types import NewPerson
from tests.benchmarks.store.galleries import LARGE, PHOTOS, SIGN_FACES, fill_large, index_large, opened
from tests.benchmarks.store.loading import TENANT, person_id
from tests.benchmarks.store.measuring import LIMIT, Times, read_signs, recall, search, timed, times
from tests.benchmarks.store.truth import Numbers, nearest_persons
from tests.benchmarks.store.vectors import Embeddings, Population, persons, probes
from tests.store.faces import CONTRACT, face

PROBES = 400
SECONDS = 10.0
DELETED_SHARE = 0.1
NEWCOMERS = Population(seed=3)


async def measure_living(url: str, faces: int) -> list[dict[str, Any]]:
    """Return a row for each state of the collection `large`, which has `faces` faces at first and is used up."""
    population = Population()
    await fill_large(url, population, faces)
    await index_large(url, faces)
    asked = probes(population, PROBES, PHOTOS)
    newcomers = np.concatenate(list(persons(NEWCOMERS, 20_000, 1)))[:, 0]
    rows: list[dict[str, Any]] = []
    async with opened(url, exact_below=faces, max_connections=8, sign_faces=SIGN_FACES) as gallery:
        await read_signs(gallery, LARGE, asked[0])
        rows.append(_row("at rest", await times(url, gallery, LARGE, asked)))
        alone, _ = await enrol_while(url, gallery, newcomers[:10_000], 4, None)
        rows.append({"state": "4 clients enrol, none searches", "changes_per_second": alone})
        for clients in (1, 4):
            rate, taken = await enrol_while(url, gallery, newcomers[10_000 + 5_000 * (clients // 4) :], clients, asked)
            rows.append(_row(f"{clients} enrol while one searches", taken) | {"changes_per_second": rate})

        seen = await delete_and_search(gallery, asked[:50])
        rows.append({"state": "50 persons, each deleted and searched at once", "deleted_found": seen})
        doomed = np.random.default_rng(4).permutation(np.arange(PROBES, faces // PHOTOS))
        doomed = doomed[: int(DELETED_SHARE * faces / PHOTOS)]

        async def delete(number: int) -> None:
            await gallery.delete_person(TENANT, LARGE, person_id(int(doomed[number])))

        taken = await timed(url, delete, range(len(doomed)), clients=4)
        rows.append({"state": f"4 clients delete {len(doomed):,} persons", "changes_per_second": taken.per_second})
        gone = np.concatenate([np.arange(50), doomed])
        survivors = _without(persons(population, faces // PHOTOS, PHOTOS), gone)
        truth = nearest_persons(survivors, asked[50:], LIMIT)
        for state, first in (("after these deletes", _nothing), ("after a vacuum", _vacuum)):
            started = time.perf_counter()
            await first(url)
            seconds = time.perf_counter() - started
            found = await recall(gallery, LARGE, asked[50:], truth)
            seen = await _deleted_found(gallery, asked[:50], gone)
            rows.append(
                _row(state, await times(url, gallery, LARGE, asked[50:]))
                | {"recall_1": found.first, "deleted_found": seen, "took_s": seconds}
            )
    return rows


async def enrol_while(
    url: str, gallery: Gallery, newcomers: Embeddings, clients: int, asked: Embeddings | None
) -> tuple[float, Times | None]:
    """Enrol persons of one face from `clients`, for `SECONDS` or while another client searches with each of `asked`.

    Return enrolments per second, and the times of the searches.
    """
    enrolled = 0
    started = time.perf_counter()
    asking = None
    if asked is not None:
        asking = asyncio.create_task(
            timed(url, lambda number: search(gallery, LARGE, asked[number]), range(len(asked)))
        )

    async def enrol(mine: Embeddings) -> None:
        nonlocal enrolled
        for vector in mine:
            if asking.done() if asking else time.perf_counter() > started + SECONDS:
                return
            await gallery.enroll_person(TENANT, LARGE, NewPerson(), [face(vector)], CONTRACT.id)
            enrolled += 1

    await asyncio.gather(*(enrol(newcomers[first::clients]) for first in range(clients)))
    rate = enrolled / (time.perf_counter() - started)
    return rate, await asking if asking else None


async def delete_and_search(gallery: Gallery, asked: Embeddings) -> int:
    """Delete the first persons, whose probes are `asked`, one by one; return how many were found afterwards."""
    found = 0
    for number, probe in enumerate(asked):
        await gallery.delete_person(TENANT, LARGE, person_id(number))
        (candidates,) = (await search(gallery, LARGE, probe)).candidates
        found += person_id(number) in {candidate.person.id for candidate in candidates}
    return found


async def _deleted_found(gallery: Gallery, asked: Embeddings, gone: Numbers) -> int:
    deleted = {person_id(int(number)) for number in gone}
    found = 0
    for probe in asked:
        (candidates,) = (await search(gallery, LARGE, probe)).candidates
        found += sum(candidate.person.id in deleted for candidate in candidates)
    return found


def _without(blocks: Iterator[Embeddings], gone: Numbers) -> Iterator[Embeddings]:
    """Yield the blocks with zeros, which are near to nobody, in place of the persons in `gone`."""
    first = 0
    for block in blocks:
        mine = gone[(gone >= first) & (gone < first + len(block))] - first
        block[mine] = 0
        first += len(block)
        yield block


async def _nothing(url: str) -> None:
    pass


async def _vacuum(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("vacuum embeddings")
    finally:
        await connection.close()


def _row(state: str, taken: Times | None) -> dict[str, Any]:
    if taken is None:
        return {"state": state}
    return {"state": state, "p50_ms": taken.p50_ms, "p99_ms": taken.p99_ms}
