"""Breaks a running service under load, one part after the other, and counts what its clients saw and what was lost.

    faceserve bench faults [--only NAME ...] [--profile python|haproxy] [--models-dir DIR --pack PACK] [--write]

It starts the service it breaks: a Ray node, two replicas of each deployment, a PostgreSQL.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from pathlib import Path

import httpx

from encoders.packs.catalog import OPENCV_PACK
from store.embedded.local import LocalPostgres
from tests.benchmarks.faults.pictures import portraits
from tests.benchmarks.faults.run import CLIENTS, FAULTS, Outcome, missing_for, under_load
from tests.benchmarks.faults.service import copied_pack, running_service
from tests.benchmarks.faults.volume import small_volume
from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block
from tests.models import opencv_models_dir
from tests.ports import free_port

FOLDER = Path(__file__).parent
SMALL_WAL = {"max_wal_size": "64MB", "min_wal_size": "32MB"}  # 16 MB files; the volume holds 400 MB
HEADINGS = (
    "fault",
    "requests",
    "refused (429/503)",
    "connection errors",
    "proxy's own 5xx",
    "hung",
    "other",
    "lasted s",
    "recovery s",
    "longest gap s",
    "whole s",
    "acknowledged",
    "lost",
    "half there",
    "doubled",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS), metavar="NAME")
    parser.add_argument("--profile", choices=("python", "haproxy"), default="python")
    parser.add_argument("--models-dir", type=Path)
    parser.add_argument("--pack", default=OPENCV_PACK)
    parser.add_argument("--photo", type=Path, help="of one face; by default one that scikit-image ships")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--write", action="store_true", help="into the README beside this file, and JSON")
    options = parser.parse_args()
    outcomes, failures = measure(options)
    machine = description()
    head = f"{options.pack}, {options.clients} clients, two replicas of each deployment. {sentence(machine)}"
    markdown = f"{head}\n\n{table(outcomes)}"
    print(markdown)
    if options.write:
        write_block(FOLDER / "README.md", f"faults-{options.profile}", markdown)
        facts = {"machine": machine, "pack": options.pack, "outcomes": [outcome.facts() for outcome in outcomes]}
        (FOLDER / f"faults-{options.profile}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if not failures and all(outcome.is_clean for outcome in outcomes) else 1)


def measure(options: argparse.Namespace) -> tuple[list[Outcome], list[str]]:
    """Return what came of each fault, told as it came, and the fault that the service did not survive."""
    pictures = portraits(options.photo)
    outcomes: list[Outcome] = []
    failures: list[str] = []
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fsfaults", dir="/tmp")))
        models_dir = options.models_dir or opencv_models_dir()
        copied_pack(models_dir, options.pack, folder / "models" / options.pack)
        encoder = {"pack": options.pack, "models_dir": str(folder / "models"), "threads": 1}
        volume = stack.enter_context(small_volume())
        directory = (folder if volume is None else volume.path) / "postgres"
        postgres = stack.enter_context(LocalPostgres(directory, port=free_port(), settings=SMALL_WAL))
        service = stack.enter_context(
            running_service(postgres, encoder=encoder, volume=volume, is_behind_haproxy=options.profile == "haproxy")
        )
        for fault in options.only:
            missing = missing_for(fault, service)
            if missing is not None:
                print(f"{fault}: left out, {missing}", flush=True)
                continue
            try:
                outcome = asyncio.run(under_load(service, fault, pictures, clients=options.clients))
            except (AssertionError, httpx.HTTPError) as error:
                failures.append(fault)
                print(f"{fault}: FAILED, the service is not whole again: {error!r}", flush=True)
                break
            print(f"{fault}: {'clean' if outcome.is_clean else 'NOT CLEAN'} {outcome.facts()}", flush=True)
            outcomes.append(outcome)
    return outcomes, failures


def table(outcomes: list[Outcome]) -> str:
    """Return the outcomes as Markdown."""
    lines = [f"| {' | '.join(HEADINGS)} |", f"|{'---|' * len(HEADINGS)}"]
    for outcome in outcomes:
        cells = (
            f"`{outcome.fault}`",
            outcome.requests,
            outcome.refused,
            outcome.connection_errors,
            outcome.proxy_errors,
            outcome.hung,
            outcome.other,
            f"{outcome.lasted_s:.1f}",
            f"{outcome.recovery_s:.1f}",
            f"{outcome.gap_s:.1f}",
            f"{outcome.whole_s:.1f}",
            outcome.acknowledged,
            len(outcome.verdict.lost) + len(outcome.verdict.returned),
            outcome.verdict.half,
            len(outcome.verdict.doubled) + outcome.changed,
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
