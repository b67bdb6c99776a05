"""Mixed load for an hour: what each process holds, and how long each operation takes, at the end as at the start.

    uv run faceserve bench soak --minutes 60 [--models-dir DIR --pack PACK] [--write]

Ends with 1 when a process grew, ended or was replaced, an operation slowed down, or a request was refused or got an
answer that it should not get.
"""

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import psutil

from tests.benchmarks.endurance.load import Answer, Connections, faults_of, percentile_ms
from tests.benchmarks.endurance.mixed import mixed_load, prepare
from tests.benchmarks.endurance.processes import Watch, every
from tests.benchmarks.endurance.running import README, add_service_options, encoder_of, pinned, running_service
from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block
from tests.cluster.node import Cluster, deployment_of

OURS = (
    "faceserve:",
    "ServeController",
    "ProxyActor",
    "HAProxyManager",
    "haproxy",
    "raylet",
    "gcs_server",
    "PostgreSQL",
)
WINDOWS = 12
MIN_ANSWERS = 30  # in a window; fewer say nothing of a 95th percentile
# Two windows of one machine differ by this much with nothing wrong: the mix is random, other work comes and goes.
DRIFT_SHARE, DRIFT_MS = 1.3, 10.0


@dataclass(frozen=True, slots=True)
class Drift:
    """The latency of one operation in the first and in the last window, in ms."""

    operation: str
    answers: int
    first_p50_ms: float
    last_p50_ms: float
    first_p95_ms: float
    last_p95_ms: float

    @property
    def is_flat(self) -> bool:
        return self.last_p50_ms <= max(self.first_p50_ms * DRIFT_SHARE, self.first_p50_ms + DRIFT_MS)


@dataclass(frozen=True, slots=True)
class Soak:
    """What a run has seen. `connections`: of the service to PostgreSQL, at each look."""

    seconds: float
    answers: list[Answer]
    watch: Watch
    connections: list[int]
    most_connections: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=4.0, help="arrivals a second; one in ten is five requests")
    parser.add_argument("--replicas", type=int, default=2, help="embedders")
    parser.add_argument("--json", type=Path, help="write the result there, too")
    add_service_options(parser)
    options = parser.parse_args()
    with running_service(pinned(options.replicas), encoder_of(options)) as service:
        soak = asyncio.run(run(service, options.minutes * 60, options.rate))
    raise SystemExit(conclude(soak, options))


async def run(service: Cluster, seconds: float, per_second: float, warm_up_s: float = 20.0) -> Soak:
    """Offer the mixed load for `seconds`, after a warm-up that does not count."""
    answers: list[Answer] = []
    watch = Watch([service.node, psutil.Process(service.postgres.pid)])
    connections: list[int] = []
    with service.client(expires_s=seconds + 3600) as client:
        mix = prepare(client)
    database = await asyncpg.connect(service.postgres.url)

    async def look() -> None:
        await asyncio.to_thread(watch.look)
        connections.append(await clients_of(database))

    async with Connections(service.url) as http:
        await mixed_load(http, mix, per_second=per_second, seconds=warm_up_s, record=lambda _: None)
        begun = time.perf_counter()
        async with every(max(2.0, min(15.0, seconds / 60)), look):
            await mixed_load(http, mix, per_second=per_second, seconds=seconds, record=answers.append)
    await database.close()
    return Soak(time.perf_counter() - begun, answers, watch, connections, most_connections(service))


def most_connections(service: Cluster) -> int:
    """Return how many connections the service may hold: each search replica's pool, and one that builds indexes."""
    replicas: int = deployment_of(service.config, "Search")["num_replicas"]
    pool: int = service.config["applications"][0]["args"]["store"]["max_connections"]
    return replicas * (pool + 1)


async def clients_of(database: "asyncpg.Connection[asyncpg.Record]") -> int:
    """Return how many other clients are connected."""
    found: int = await database.fetchval(
        "select count(*) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
    )
    return found


def drifts(soak: Soak) -> list[Drift]:
    """Return the latency of every operation of which both windows have enough answers."""
    begun = min(answer.at_s for answer in soak.answers)
    width = soak.seconds / WINDOWS
    windows: list[dict[str, list[float]]] = [{} for _ in range(WINDOWS)]
    for answer in soak.answers:
        if answer.is_expected:
            number = min(WINDOWS - 1, int((answer.at_s - begun) / width))
            windows[number].setdefault(kind_of(answer), []).append(answer.seconds)
            windows[number].setdefault("all", []).append(answer.seconds)
    first, last = windows[0], windows[-1]
    return [
        Drift(
            operation,
            sum(len(window.get(operation, ())) for window in windows),
            *(percentile_ms(window[operation], percent) for percent in (50, 95) for window in (first, last)),
        )
        for operation in sorted(first)
        if min(len(window.get(operation, ())) for window in (first, last)) >= MIN_ANSWERS
    ]


def kind_of(answer: Answer) -> str:
    """Return the operation, of which all mistakes of clients are one: of each there are too few to judge."""
    return "errors" if answer.call.operation.startswith("error:") else answer.call.operation


def conclude(soak: Soak, options: argparse.Namespace) -> int:
    """Print what was seen, write it where the options say, and return the exit code."""
    growths, drifted, faults = soak.watch.growth(), drifts(soak), faults_of(soak.answers)
    refused = sum(answer.is_refusal for answer in soak.answers)
    replaced = [name for name in soak.watch.passing() if name.startswith(OURS)]
    is_bounded = max(soak.connections) <= soak.most_connections
    growing = [growth.process for growth in growths if not growth.is_flat]
    slower = [drift.operation for drift in drifted if not drift.is_flat]
    verdict = [
        f"{len(soak.answers):,} requests in {soak.seconds / 60:.1f} min, {options.pack}, {options.replicas} embedders; "
        f"unexpected answers: {sum(faults.values())}{f' {dict(faults)}' if faults else ''}, refused: {refused}",
        f"processes of the service that ended or came: {', '.join(replaced) or 'none'}",
        f"processes that grew: {', '.join(growing) or 'none'} of {len(growths)}",
        f"operations that slowed down: {', '.join(slower) or 'none'} of {len(drifted)}",
        f"connections to PostgreSQL: {soak.connections[0]} at first, at most {max(soak.connections)}, "
        f"{soak.connections[-1]} at last, of {soak.most_connections}",
    ]
    table = "\n".join([*(f"- {line}" for line in verdict), "", *process_table(soak), "", *latency_table(drifted)])
    print(table)
    machine = description()
    result = {
        "machine": machine,
        "minutes": soak.seconds / 60,
        "rate": options.rate,
        "pack": options.pack,
        "verdict": verdict,
        "connections": soak.connections,
        "processes": [{**asdict(growth), "is_flat": growth.is_flat} for growth in growths],
        "memory_mb": {
            name: [[round(sample.at_s - samples[0].at_s), round(sample.memory_mb, 1)] for sample in samples]
            for name, samples in soak.watch.lasting().items()
        },
        "latencies": [{**asdict(drift), "is_flat": drift.is_flat} for drift in drifted],
    }
    text = json.dumps(result) + "\n"  # thousands of samples: one line
    if options.json:
        options.json.write_text(text, encoding="utf-8")
    if options.write:
        write_block(README, "soak", f"{sentence(machine)}\n\n{table}")
        (README.parent / "soak.json").write_text(text, encoding="utf-8")
    return 0 if is_bounded and not (growing or slower or faults or refused or replaced) else 1


def process_table(soak: Soak) -> list[str]:
    """Return a row for each process that lasted, the largest first."""
    rows = ["| process | MB at first | at last | grown MB | open files | threads |", "|---|---|---|---|---|---|"]
    for growth in soak.watch.growth():
        mark = "" if growth.is_flat else " **grew**"
        rows.append(
            f"| {growth.process.rsplit(' ', 1)[0]}{mark} | {growth.first_mb:.0f} | {growth.last_mb:.0f} "
            f"| {growth.grown_mb:+.1f} | {growth.files[0]} → {growth.files[1]} "
            f"| {growth.threads[0]} → {growth.threads[1]} |"
        )
    return rows


def latency_table(drifted: list[Drift]) -> list[str]:
    """Return a row for each operation."""
    rows = ["| operation | answers | p50 ms: first window / last | p95 ms: first / last |", "|---|---|---|---|"]
    for drift in drifted:
        mark = "" if drift.is_flat else " **slower**"
        rows.append(
            f"| {drift.operation}{mark} | {drift.answers:,} | {drift.first_p50_ms:.0f} / {drift.last_p50_ms:.0f} "
            f"| {drift.first_p95_ms:.0f} / {drift.last_p95_ms:.0f} |"
        )
    return rows


if __name__ == "__main__":
    main()
