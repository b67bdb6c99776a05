"""From the plain baselines to this service and on to the limit, in one run, with the same models and photos.

Rungs: FastAPI with FaceAnalysis on the event loop, searching 10,000 faces kept as arrays, then in pgvector; without a
search, on the event loop, in a thread pool, and with more uvicorn workers; this service; the same work in process. With
the pack `opencv` FastAPI has OpenCV's own classes, searches nothing, and looks at whole photos or at 640 px.

Only ratios within one run mean something: the load runs on the same cores as what it measures.
"""

import argparse
import asyncio
import itertools
import math
import statistics
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from encoders.packs.catalog import OPENCV_PACK
from tests.benchmarks import plots
from tests.benchmarks.results import publish, table
from tests.benchmarks.serving.agreement import agreement
from tests.benchmarks.serving.baselines import baselines_of
from tests.benchmarks.serving.galleries import FACES, search_times_ms
from tests.benchmarks.serving.load import Load
from tests.benchmarks.serving.rungs import Rung, in_process, measure
from tests.benchmarks.serving.serving import Configuration, configuration, plain_server, service

SERVED = "faceserve, "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pack", required=True, help="fp32, what the baselines run; a directory below --models-dir")
    parser.add_argument(
        "--serve",
        type=configuration,
        action="append",
        metavar="PACK[:PROVIDER[:RxT]]",
        help="a rung of this service: R replicas of T threads, by default one of one per core; by default --pack",
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--skip-baselines", action="store_true")
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    rungs = []
    for rung in climb(options):
        show(rung)
        rungs.append(rung)
    conclusions = conclude(rungs)
    if options.pack == OPENCV_PACK:
        conclusions += f"\n- {agreement(options.models_dir, options.photos)}"
    searches = {} if options.skip_baselines or options.pack == OPENCV_PACK else measure_searches()
    print(conclusions)
    for gallery, times_ms in searches.items():
        print(f"{gallery}, {FACES} faces: p50 {statistics.median(times_ms):.1f} ms")
    if options.write:
        write(options, rungs, conclusions, searches)


def climb(options: argparse.Namespace) -> Iterator[Rung]:
    """Measure one rung after the other."""
    photos = [photo.read_bytes() for photo in options.photos]
    for baseline in () if options.skip_baselines else baselines_of(options.pack):
        with plain_server(baseline, options.models_dir / options.pack) as served:
            yield measure(baseline.label, served, photos, options.seconds)
    for wanted in options.serve or (Configuration(options.pack),):
        with service(options.models_dir, wanted, photos[0]) as served:
            yield measure(SERVED + wanted.label, served, photos, options.seconds, "Embedder")
        yield in_process(options.models_dir, wanted, options.photos, options.seconds)


def measure_searches() -> dict[str, list[float]]:
    """Return the times of single searches without inference, by gallery."""
    return {
        "array": asyncio.run(search_times_ms("array", 5)),
        "pgvector": asyncio.run(search_times_ms("pgvector", 200)),
    }


def show(rung: Rung) -> None:
    """Print a rung as a line per load."""
    for load in rung.loads:
        print(
            f"{rung.name:44} c={load.concurrency:<3} {load.per_second:7.2f}/s  p50 {load.p50_ms:7.1f}  "
            f"p95 {load.p95_ms:7.1f}  p99 {load.p99_ms:7.1f} ms  failures {load.failures}"
        )
    parts = ", ".join(f"{role} {ms:.1f}" for role, ms in by_size(rung.loads[-1]) if ms >= 0.05)
    print(f"{'':44} CPU {rung.cpu_ms:.1f} ms/answer ({parts}), worker {rung.worker_rss_mb:.0f} MB", flush=True)


def by_size(load: Load) -> list[tuple[str, float]]:
    """Return the CPU of each role, the largest first."""
    return sorted(load.cpu_ms.items(), key=lambda item: -item[1])


def conclude(rungs: list[Rung]) -> str:
    """Return the ratios that matter as a list: overhead, saturation, and the gain over the strongest baseline."""
    plain = [rung for rung in rungs if rung.name.startswith("FastAPI")]
    lines = []
    for served, limit in itertools.pairwise(rungs):
        if not served.name.startswith(SERVED):
            continue
        line = (
            f"- {served.name}: overhead {served.p50_ms / limit.p50_ms:.2f} (served p50 / in-process p50), "
            f"saturation {served.best_per_second / limit.best_per_second:.2f} (served / in-process answers a second)"
        )
        if plain:
            best = max(plain, key=lambda rung: rung.best_per_second)
            line += (
                f", {served.best_per_second / best.best_per_second:.2f} times the strongest baseline, {best.name}, and "
                f"{best.cpu_ms / served.cpu_ms:.2f} times its answers for the same CPU"
            )
        lines.append(line)
    return "\n".join(lines)


def write(options: argparse.Namespace, rungs: list[Rung], conclusions: str, searches: dict[str, list[float]]) -> None:
    """Keep the result as JSON, as tables, and as a chart."""
    serve = "".join(f" --serve {wanted.pack}:{wanted.provider}" for wanted in options.serve or ())
    command = f"uv run faceserve bench ladder --models-dir DIR --pack {options.pack}{serve} PHOTO..."
    rows = [
        [
            rung.name,
            *(cell(load) for load in rung.loads),
            *[""] * (3 - len(rung.loads)),
            *(f"{rung.cpu_ms:.0f}",),
            mb(rung),
        ]
        for rung in rungs
    ]
    columns = ["answers/s: p50 / p95 / p99 ms", "1 client", "4 clients (in process: all cores)", "16 clients"]
    parts = [table([*columns, "CPU ms per answer", "worker MB"], rows), conclusions, cpu_table(rungs)]
    if searches:
        medians = {name: statistics.median(times_ms) for name, times_ms in searches.items()}
        parts.append(
            f"One search among {FACES:,} faces without inference: {medians['array']:,.0f} ms as arrays compared in "
            f"Python, {medians['pgvector']:.1f} ms in pgvector with HNSW (p50)."
        )
    chart = plots.bars(
        f"Answers a second, {options.pack}, best of 1, 4 and 16 clients",
        {rung.name: rung.best_per_second for rung in rungs},
        "/s",
    )
    measured = {"seconds": options.seconds, "rungs": [asdict(rung) for rung in rungs], "searches_ms": searches}
    publish(options.write, command, measured, "\n\n".join(parts), {options.write: chart})


def cell(load: Load) -> str:
    """Return the figures of a load for a table."""
    failures = f", {load.failures} failed" if load.failures else ""
    return f"{load.per_second:.2f}: {load.p50_ms:.0f} / {load.p95_ms:.0f} / {load.p99_ms:.0f}{failures}"


def mb(rung: Rung) -> str:
    """Return the memory of a worker for a table."""
    return "" if math.isnan(rung.worker_rss_mb) else f"{rung.worker_rss_mb:.0f}"


def cpu_table(rungs: list[Rung]) -> str:
    """Return where this service spends its CPU when 16 clients saturate it."""
    served = [rung for rung in rungs if rung.name.startswith(SERVED)]
    roles = list(dict.fromkeys(role for rung in served for role, ms in by_size(rung.loads[-1]) if ms >= 0.05))
    rows = [[rung.name, *(f"{rung.loads[-1].cpu_ms.get(role, 0):.1f}" for role in roles)] for rung in served]
    return table(["CPU ms per answer, 16 clients", *roles], rows)


if __name__ == "__main__":
    main()
