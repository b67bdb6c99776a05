"""Three times the load that the service can answer: how fast it answers, and how fast it refuses.

    uv run faceserve bench overload --minutes 3 [--models-dir DIR --pack PACK] [--write]

Finds the capacity with a closed load, then offers a multiple of it as an open load, whose requests do not wait for each
other. Ends with 1 when a request got anything but its answer or a 429 with Retry-After, when nothing was refused, when
those who are answered wait too long for it, when the service is slow to get back to normal, or when memory grew.
"""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import psutil

from tests.benchmarks.endurance.load import (
    Answer,
    Call,
    Connections,
    after,
    ask_in_turn,
    call,
    faults_of,
    offer_calls,
    percentile_ms,
)
from tests.benchmarks.endurance.processes import Growth, Watch, every
from tests.benchmarks.endurance.running import README, add_service_options, encoder_of, pinned, running_service
from tests.benchmarks.machine import cost, description, sentence
from tests.benchmarks.measured import write_block
from tests.cluster.node import Cluster
from tests.deployments.pictures import encoded, portrait

CLOSED_CLIENTS, CLOSED_S = (1, 4, 16), 8.0
NORMAL = 1.5  # times the unloaded 95th percentile
IN_A_ROW = 5
# An image waits for about two others in the embedder, and for its share of the machine on which the load runs as well.
MOST_TIMES_UNLOADED = 8.0
MOST_RECOVERY_S = 10.0


@dataclass(frozen=True, slots=True)
class Phase:
    """What one load got. Times in ms; `seconds` of load."""

    name: str
    seconds: float
    offered: int
    answered: int
    refused: int
    p50_ms: float
    p95_ms: float
    refusal_p50_ms: float
    refusal_p95_ms: float
    faults: Mapping[str, int]
    cpus: Mapping[str, float]
    load_cpus: float


@dataclass(frozen=True, slots=True)
class Overload:
    """What a run has seen. `recovered_s`: after the last request of the overload left."""

    phases: tuple[Phase, ...]
    growths: tuple[Growth, ...]
    recovered_s: float
    health_p95_ms: float
    health_faults: Mapping[str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--times", type=float, default=3.0, help="the capacity is offered")
    parser.add_argument("--replicas", type=int, default=2, help="embedders")
    parser.add_argument("--photo", type=Path, help="by default a small photo of one face")
    parser.add_argument("--ongoing", type=int, help="max_ongoing_requests of an embedder in place of the YAML's")
    parser.add_argument("--queued", type=int, help="max_queued_requests of the embedder in place of the YAML's")
    add_service_options(parser)
    options = parser.parse_args()
    photo = options.photo.read_bytes() if options.photo else encoded(portrait())
    change = pinned(options.replicas, ongoing=options.ongoing, queued=options.queued)
    with running_service(change, encoder_of(options)) as service:
        seen = asyncio.run(run(service, photo, options.minutes * 60, options.times))
    raise SystemExit(conclude(seen, options))


async def run(service: Cluster, photo: bytes, seconds: float, times: float) -> Overload:
    """Load the service closed, then open, and watch it get back to normal."""
    with service.client(expires_s=seconds + 3600) as client:
        client.post("/v1/collections", json={"id": "load", "name": "Load"}).raise_for_status()
        client.post("/v1/collections/load/persons", files={"images": photo}).raise_for_status()
        as_jpeg = {"Content-Type": "image/jpeg"}
        calls = [call("search", client, "POST", "/v1/collections/load/search", content=photo, headers=as_jpeg)]
        health = call("health", client, "GET", "/v1/health")
    watch = Watch([service.node, psutil.Process(service.postgres.pid)])
    async with Connections(service.url) as http:
        await ask_in_turn(http, calls, clients=4, is_over=after(5))
        phases = [
            await phase(f"{clients} clients", CLOSED_S, service, partial(closed, http, calls, clients))
            for clients in CLOSED_CLIENTS
        ]
        unloaded, capacity = phases[0], max(found.answered / found.seconds for found in phases)
        recovery = asyncio.create_task(
            recover(http, calls[0], time.perf_counter() + seconds, NORMAL * unloaded.p95_ms / 1000)
        )
        probes: list[Answer] = []

        async def probe() -> None:
            probes.append(await http.send(health))

        async with every(2.0, partial(asyncio.to_thread, watch.look)), every(1.0, probe):
            load = partial(offer_calls, http, calls, per_second=times * capacity, seconds=seconds)
            phases.append(await phase(f"open, {times:g} times the capacity", seconds, service, load))
        return Overload(
            tuple(phases),
            tuple(watch.growth()),
            await recovery,
            percentile_ms([answer.seconds for answer in probes], 95),
            faults_of(probes),
        )


async def closed(http: Connections, calls: Sequence[Call], clients: int) -> list[Answer]:
    """Ask with so many clients for a while."""
    return await ask_in_turn(http, calls, clients=clients, is_over=after(CLOSED_S))


async def phase(name: str, seconds: float, service: Cluster, load: "partial[object]") -> Phase:
    """Apply `load` and return what it got."""
    before, own = cost([service.node]), time.process_time()
    answers: Sequence[Answer] = await load()  # type: ignore[misc]
    spent, own_spent = cost([service.node]).since(before), time.process_time() - own
    accepted = [answer.seconds for answer in answers if answer.is_expected]
    refused = [answer.seconds for answer in answers if answer.is_refusal]
    found = Phase(
        name,
        seconds,
        len(answers),
        len(accepted),
        len(refused),
        percentile_ms(accepted, 50),
        percentile_ms(accepted, 95),
        percentile_ms(refused, 50),
        percentile_ms(refused, 95),
        faults_of(answers),
        {role: round(cpu / seconds, 3) for role, cpu in spent.items()},
        own_spent / seconds,
    )
    print(row(found), flush=True)
    return found


async def recover(http: Connections, asked: Call, stop: float, normal_s: float) -> float:
    """Ask one at a time from `stop` on; return the seconds until the first of five normal answers in a row."""
    await asyncio.sleep(stop - time.perf_counter())
    row_begun, row_length = stop, 0
    for _ in itertools.repeat(None):
        answer = await http.send(asked)
        is_normal = answer.is_expected and answer.seconds <= normal_s
        row_length = row_length + 1 if is_normal else 0
        if row_length <= 1:
            row_begun = time.perf_counter()
        if row_length == IN_A_ROW or time.perf_counter() > stop + 60:
            break
    return row_begun - stop if row_length == IN_A_ROW else float("inf")


def row(found: Phase) -> str:
    """Return a phase as a row of the table."""
    refusal = f"{found.refusal_p50_ms:.0f} / {found.refusal_p95_ms:.0f}" if found.refused else "-"
    return (
        f"| {found.name} | {found.offered / found.seconds:.1f} | {found.answered / found.seconds:.1f} "
        f"| {found.p50_ms:.0f} / {found.p95_ms:.0f} | {100 * found.refused / max(1, found.offered):.0f} % "
        f"| {refusal} | {sum(found.faults.values())} "
        f"| {found.cpus['Embedder']:.2f} / {found.cpus['Ingress']:.2f} / {found.cpus['Search']:.2f} "
        f"| {found.load_cpus:.2f} |"
    )


def conclude(seen: Overload, options: argparse.Namespace) -> int:
    """Print what was seen, write it where the options say, and return the exit code."""
    unloaded, loaded = seen.phases[0], seen.phases[-1]
    growing = [growth.process for growth in seen.growths if not growth.is_memory_flat]
    faults = sum(sum(found.faults.values()) for found in seen.phases)
    table = "\n".join(
        [
            "| load | offered/s | answered/s | p50 / p95 ms | refused | p50 / p95 ms | other answers "
            "| CPUs: embedders / ingress / search | the load |",
            "|---|---|---|---|---|---|---|---|---|",
            *map(row, seen.phases),
            "",
            f"- accepted under overload: p50 {loaded.p50_ms / unloaded.p50_ms:.1f} times and p95 "
            f"{loaded.p95_ms / unloaded.p95_ms:.1f} times the unloaded one",
            f"- back to normal {seen.recovered_s:.1f} s after the load ended; health meanwhile: p95 "
            f"{seen.health_p95_ms:.0f} ms, {sum(seen.health_faults.values())} failures",
            f"- processes whose memory grew: {', '.join(growing) or 'none'} of {len(seen.growths)}; "
            + ", ".join(
                f"{growth.process.split()[0].split(':')[-1]} {growth.first_mb:.0f} → {growth.last_mb:.0f} MB"
                for growth in seen.growths
                if "faceserve:" in growth.process or "haproxy" in growth.process
            ),
        ]
    )
    print(table)
    if options.write:
        machine = description()
        head = f"{options.pack}, {options.replicas} embedders. {sentence(machine)}"
        write_block(README, "overload", f"{head}\n\n{table}")
        result = json.dumps({"machine": machine, "pack": options.pack, **asdict(seen)})
        result = json.dumps(json.loads(result, parse_constant=lambda _: None), indent=1)  # JSON knows no NaN
        (README.parent / "overload.json").write_text(result + "\n", encoding="utf-8")
    is_slow = loaded.p95_ms > MOST_TIMES_UNLOADED * unloaded.p95_ms or seen.recovered_s > MOST_RECOVERY_S
    return 1 if faults or growing or is_slow or seen.health_faults or not loaded.refused else 0


if __name__ == "__main__":
    main()
