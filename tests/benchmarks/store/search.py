"""Search at scale: `uv run faceserve bench search PART`, with face-like embeddings from a fixed seed.

`sizes`, `signs`, `collections` and `changes` go through the gallery as the service does; `tuning` and `alternatives`
try other indexes in the place of the collection's own. `distribution` shows how face-like the embeddings are.
"""

import argparse
import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block
from tests.benchmarks.results import RESULTS, table
from tests.benchmarks.store import living, many, sizes, tuning
from tests.benchmarks.store.galleries import server
from tests.benchmarks.store.vectors import TARGETS, Population, distribution

README = Path(__file__).parent / "README.md"
Rows = list[dict[str, Any]]


def main() -> None:
    options = _parser().parse_args()
    rows = PARTS[options.part](options)
    markdown = table([TITLES.get(name, name) for name in _columns(rows)], [_cells(row, _columns(rows)) for row in rows])
    print(markdown)
    if options.write:
        machine = description()
        name = f"search-{options.part}"
        RESULTS.mkdir(exist_ok=True)
        text = json.dumps({"machine": machine, "rows": rows}, indent=1)
        (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        command = f"    {_command(options)}"
        write_block(README, name, "\n\n".join([sentence(machine), command, markdown]))


def measure_distribution(options: argparse.Namespace) -> Rows:
    shown = asdict(distribution(Population()))
    return [
        {"cosines": name.replace("_", " "), "target": "{} to {}".format(*TARGETS[name]), "generated": round(value, 3)}
        for name, value in shown.items()
    ]


def measure_sizes(options: argparse.Namespace) -> Rows:
    rows: Rows = []
    for faces in options.faces or (10_000, 100_000):
        with server(options.data, f"large-{faces}") as url:
            truth = _truth(options, faces)
            rows += asyncio.run(sizes.measure_size(url, faces, options.probes, options.ef_search, truth))
    return rows


def measure_signs(options: argparse.Namespace) -> Rows:
    rows: Rows = []
    for faces in options.faces or (10_000, 100_000):
        with server(options.data, f"large-{faces}") as url:
            rows.append(asyncio.run(sizes.measure_signs(url, faces, options.probes, _truth(options, faces))))
    return rows


def measure_collections(options: argparse.Namespace) -> Rows:
    (faces,) = options.faces or (100_000,)
    with server(options.data, f"small-{options.collections}-{faces}") as url:
        return asyncio.run(many.measure_many(url, options.collections, faces))


def measure_changes(options: argparse.Namespace) -> Rows:
    (faces,) = options.faces or (100_000,)
    with server(None, "changes") as url:  # it is used up
        return asyncio.run(living.measure_living(url, faces))


def measure_tuning(options: argparse.Namespace) -> Rows:
    (faces,) = options.faces or (100_000,)
    graphs = [(m, ef_construction) for m in options.m for ef_construction in options.ef_construction]
    searches = [(ef_search, rerank) for ef_search in options.ef_search for rerank in options.rerank]
    searches = [(ef_search, rerank) for ef_search, rerank in searches if rerank <= ef_search]
    with server(options.data, f"tuning-{faces}") as url:
        return asyncio.run(tuning.measure_hnsw(url, faces, graphs, searches))


def measure_alternatives(options: argparse.Namespace) -> Rows:
    (faces,) = options.faces or (100_000,)
    with server(options.data, f"tuning-{faces}") as url:
        return asyncio.run(tuning.measure_alternatives(url, faces))


PARTS: dict[str, Callable[[argparse.Namespace], Rows]] = {
    "distribution": measure_distribution,
    "sizes": measure_sizes,
    "signs": measure_signs,
    "collections": measure_collections,
    "changes": measure_changes,
    "tuning": measure_tuning,
    "alternatives": measure_alternatives,
}
TITLES = {
    "ef_search": "`ef_search`",
    "ef_construction": "`ef_construction`",
    "m": "`m`",
    "rerank": "re-ranked",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "cpu_ms": "CPU ms",
    "per_second": "searches/s",
    "per_second_4": "searches/s, 4 clients",
    "p50_ms_4": "p50 ms, 4 clients",
    "p99_ms_4": "p99 ms, 4 clients",
    "recall_1": "recall@1",
    "recall_10": "recall@10",
    "own_person": "own person first",
    "seconds": "built in s",
    "megabytes": "index MB",
    "read_s": "read in s",
    "memory_mb": "MB",
    "changes_per_second": "changes/s",
    "deleted_found": "deleted found",
    "took_s": "took s",
}
DIGITS = {
    "recall_1": 4,
    "recall_10": 4,
    "own_person": 4,
    "p50_ms": 2,
    "cpu_ms": 2,
    "p50_ms_4": 2,
    "p99_ms": 1,
    "p99_ms_4": 1,
}


def _truth(options: argparse.Namespace, faces: int) -> Path | None:
    return options.data / f"truth-{faces}-{options.probes}.npy" if options.data else None


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[str]:
    cells = []
    for name in columns:
        value = row.get(name)
        if isinstance(value, float):
            cells.append(f"{value:,.{DIGITS.get(name, 0 if value >= 10 else 3)}f}")
        elif isinstance(value, int):
            cells.append(f"{value:,}")
        else:
            cells.append(value or "")
    return cells


def _command(options: argparse.Namespace) -> str:
    words = ["uv run faceserve bench search", options.part]
    for name in ("faces", "collections", "ef_search", "m", "ef_construction", "rerank"):
        value, default = getattr(options, name), _parser().get_default(name)
        if value != default:
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return " ".join([*words, *(["--data DIR"] if options.data else []), "--write"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--faces", type=int, nargs="+", help="sizes of the large collection")
    parser.add_argument("--collections", type=int, default=1000, help="how many of 1,000 faces")
    parser.add_argument("--probes", type=int, default=1000, help="genuine probes, photos of enrolled persons")
    parser.add_argument("--ef-search", type=int, nargs="+", default=[40, 64, 100, 200])
    parser.add_argument("--rerank", type=int, nargs="+", default=[40, 100])
    parser.add_argument("--m", type=int, nargs="+", default=[16])
    parser.add_argument("--ef-construction", type=int, nargs="+", default=[128])
    parser.add_argument("--data", type=Path, help="keeps the galleries, and finds them there: a million take an hour")
    parser.add_argument(
        "--write", action="store_true", help="into the README beside this file and tests/benchmarks/results"
    )
    return parser


if __name__ == "__main__":
    main()
