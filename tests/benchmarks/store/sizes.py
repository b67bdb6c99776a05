"""One collection of 10,000 to a million faces: exact, through its index, and by signs."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from store.search.signs import BYTES_PER_FACE
from tests.benchmarks.store.galleries import LARGE, PHOTOS, fill_large, index_large, opened
from tests.benchmarks.store.measuring import LIMIT, Times, read_signs, recall, times
from tests.benchmarks.store.truth import Numbers, nearest_persons
from tests.benchmarks.store.vectors import Embeddings, Population, persons, probes

EXACT_SEARCHES_S = 20.0  # about as long as exact searches of one row may take


async def measure_size(
    url: str, faces: int, probe_count: int, ef_searches: Sequence[int], truth_path: Path | None
) -> list[dict[str, Any]]:
    """Return a row for each of `ef_searches` in the indexed tier, and one for the exact tier."""
    population = Population()
    await fill_large(url, population, faces)
    index = await index_large(url, exact_below=faces)
    asked = probes(population, min(probe_count, faces // PHOTOS), PHOTOS)
    truth = known_truth(truth_path, population, faces, asked)
    rows: list[dict[str, Any]] = []
    for ef_search in ef_searches:
        async with opened(url, exact_below=faces, ef_search=ef_search, rerank=min(ef_search, 40)) as gallery:
            found = await recall(gallery, LARGE, asked, truth)  # first, and the index is in memory
            rows.append(
                {"faces": faces, "tier": "indexed", "ef_search": ef_search}
                | _columns(await times(url, gallery, LARGE, asked), await times(url, gallery, LARGE, asked, clients=4))
                | {"recall_1": found.first, "recall_10": found.ten}
                | asdict(index)
            )
            print(rows[-1], flush=True)
    async with opened(url, exact_below=4 * faces) as gallery:
        few = max(20, min(200, int(EXACT_SEARCHES_S / (faces * 0.7e-6))))
        found = await recall(gallery, LARGE, asked[:20], truth[:20])
        if found.first < 1:  # the truth is computed past the database: the two hold each other to account
            raise AssertionError(f"the exact tier found {found.first} of the truth")
        rows.append(
            {"faces": faces, "tier": "exact", "ef_search": None}
            | _columns(
                await times(url, gallery, LARGE, asked[:few]), await times(url, gallery, LARGE, asked[:few], clients=4)
            )
            | {"own_person": float(np.mean(truth[:, 0] == np.arange(len(asked))))}
        )
    return rows


async def measure_signs(url: str, faces: int, probe_count: int, truth_path: Path | None) -> dict[str, Any]:
    """Return the row of the tier that needs no index."""
    population = Population()
    await fill_large(url, population, faces)
    asked = probes(population, min(probe_count, faces // PHOTOS), PHOTOS)
    truth = known_truth(truth_path, population, faces, asked)
    async with opened(url, exact_below=faces, sign_faces=faces) as gallery:
        seconds = await read_signs(gallery, LARGE, asked[0])
        found = await recall(gallery, LARGE, asked, truth)
        return (
            {"faces": faces}
            | _columns(await times(url, gallery, LARGE, asked), await times(url, gallery, LARGE, asked, clients=4))
            | {"recall_1": found.first, "recall_10": found.ten}
            | {"read_s": seconds, "memory_mb": faces * BYTES_PER_FACE / 1e6}
        )


def known_truth(path: Path | None, population: Population, faces: int, asked: Embeddings) -> Numbers:
    """Return the nearest persons of each probe, int64 (probes, 10), computed once if there is a `path` to keep them."""
    if path and path.is_file():
        return np.asarray(np.load(path))
    truth = nearest_persons(persons(population, faces // PHOTOS, PHOTOS), asked, LIMIT)
    if path:
        np.save(path, truth)
    return truth


def _columns(alone: Times, four: Times) -> dict[str, float]:
    return {
        "p50_ms": alone.p50_ms,
        "p99_ms": alone.p99_ms,
        "cpu_ms": alone.cpu_ms,
        "p50_ms_4": four.p50_ms,
        "p99_ms_4": four.p99_ms,
        "per_second_4": four.per_second,
    }
