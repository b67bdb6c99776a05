"""How long a calibration takes, what it costs searches, and whether its rates hold: `faceserve bench calibration`."""

import argparse
import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import psutil

from deployments.decisions.calibration.rates import Strangers
from store.calibration.calibration_table import MOST_PERSONS
from store.gallery import Gallery
from tests.benchmarks.store.galleries import LARGE, PHOTOS, fill_large, opened, server
from tests.benchmarks.store.loading import TENANT
from tests.benchmarks.store.vectors import Embeddings, Population, persons
from tests.store.faces import CONTRACT

RATES = (0.1, 0.03, 0.01)
STRANGERS = 2000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--persons", type=int, default=1000, help="how many are sampled")
    parser.add_argument("--data", type=Path, help="where the gallery is kept for the next time")
    options = parser.parse_args()
    if not 1 <= options.persons <= MOST_PERSONS:
        parser.error(f"expected 1 to {MOST_PERSONS} persons")
    with server(options.data, f"calibration-{options.faces}") as url:
        asyncio.run(measure(url, options.faces, options.persons))


async def measure(url: str, faces: int, sampled: int) -> None:
    """Fill the gallery, calibrate it and print what that took and told."""
    members = faces // PHOTOS
    await fill_large(url, Population(), faces)
    strangers = _strangers(members)
    async with opened(url, sign_faces=5_000_000) as gallery:
        alone = [await _search(gallery, probe) for probe in strangers[:200]]
        started, before = time.perf_counter(), psutil.Process().memory_info().rss
        async with _searching(gallery, strangers) as beside:
            found, peak = await _calibrated(gallery, sampled)
        seconds = time.perf_counter() - started
        memory = f"{(peak - before) / 1e6:.0f} MB more memory"
        print(f"{faces:,} faces, {sampled:,} persons sampled: {seconds:.1f} s, {memory}")
        p95 = [float(np.quantile(times, 0.95)) * 1e3 for times in (alone, beside)]
        print(f"searches: p95 {p95[0]:.1f} ms alone, {p95[1]:.1f} ms beside it ({p95[1] / p95[0]:.2f} times)")
        scores = await _best_scores(gallery, strangers)
    for rate in RATES:
        threshold = float(np.quantile(scores, 1 - rate))
        told = found.at(threshold)
        holds = "holds" if told.low <= rate <= told.high else "DOES NOT HOLD"
        interval = f"{told.value:.2%}, {told.low:.2%} to {told.high:.2%}"
        print(f"at {threshold:.3f} {rate:.1%} of {STRANGERS:,} strangers; told {interval}: {holds}")


async def _calibrated(gallery: Gallery, sampled: int) -> tuple[Strangers, int]:
    calibration, peak = await gallery.start_calibration(TENANT, LARGE, sampled), 0
    while calibration.finished_at is None:
        calibration = await gallery.advance_calibration(TENANT, LARGE, calibration.id, 2.0)
        peak = max(peak, psutil.Process().memory_info().rss)
    scores = await gallery.calibration_scores(TENANT, LARGE, calibration.id)
    return Strangers(scores.strangers, scores.partners, calibration.persons), peak


@contextlib.asynccontextmanager
async def _searching(gallery: Gallery, probes: Embeddings) -> AsyncIterator[list[float]]:
    """Search over and over, one after the other; give how long each takes, in seconds."""
    times: list[float] = []

    async def search() -> None:
        for probe in itertools.cycle(probes):
            times.append(await _search(gallery, probe))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(search())
    yield times
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def _search(gallery: Gallery, probe: Embeddings) -> float:
    started = time.perf_counter()
    await gallery.search(TENANT, LARGE, CONTRACT.id, probe[np.newaxis], 5)
    return time.perf_counter() - started


async def _best_scores(gallery: Gallery, probes: Embeddings) -> np.ndarray:
    found = []
    for start in range(0, len(probes), 50):
        outcome = await gallery.search(TENANT, LARGE, CONTRACT.id, probes[start : start + 50], 1, exactly=True)
        found += [candidates[0].similarity for candidates in outcome.candidates]
    return np.array(found)


def _strangers(members: int) -> Embeddings:
    """Return embeddings, (STRANGERS, 512), of persons of the same population who are not in the gallery."""
    blocks = persons(Population(), members + STRANGERS, PHOTOS)
    return np.concatenate([block[:, 0] for block in blocks])[members:]


if __name__ == "__main__":
    main()
