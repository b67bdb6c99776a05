"""The embedder under load, from one replica to its maximum and back, with serve_config.yaml as it is.

    uv run faceserve bench autoscaling [--models-dir DIR --pack PACK] [--write]

One client, then so many that the YAML's `target_ongoing_requests` asks for all replicas, then one again. Ends with 1
when a request failed or was refused, or when the replicas did not come and go.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from tests.benchmarks.endurance.load import Answer, Call, Connections, after, ask_in_turn, call, percentile_ms
from tests.benchmarks.endurance.processes import every
from tests.benchmarks.endurance.running import README, add_service_options, encoder_of, running_service
from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block
from tests.cluster.node import Cluster, deployment_of
from tests.deployments.pictures import encoded, portrait

QUIET_S, HOLD_S, LIMIT_S = 15.0, 20.0, 300.0
ROW_S = 5


@dataclass(frozen=True, slots=True)
class Moment:
    """How many clients asked, and how many embedders ran, were starting and stopping, at a time of the run."""

    at_s: float
    clients: int
    running: int
    starting: int
    stopping: int


@dataclass(frozen=True, slots=True)
class Scaling:
    """What a run has seen. `up_s`, `down_s`: from the change of the load to the last replica."""

    moments: list[Moment]
    answers: list[Answer]
    up_s: float
    down_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-replicas", type=int, default=4, help="in place of the YAML's")
    parser.add_argument("--downscale-delay", type=float, default=120.0, help="in place of the YAML's, in seconds")
    parser.add_argument("--clients", type=int, default=8)
    add_service_options(parser)
    options = parser.parse_args()
    changes = {"max_replicas": options.max_replicas, "downscale_delay_s": options.downscale_delay}

    def change(config: dict[str, Any]) -> None:
        deployment_of(config, "Embedder")["autoscaling_config"] |= {"min_replicas": 1, **changes}

    with running_service(change, encoder_of(options)) as service:
        seen = asyncio.run(run(service, options.clients, options.max_replicas))
        scaling = dict(deployment_of(service.config, "Embedder")["autoscaling_config"])
    raise SystemExit(conclude(seen, scaling, options))


async def run(service: Cluster, clients: int, most: int) -> Scaling:
    """Change the load when the replicas have followed it, and record both every second."""
    photo = encoded(portrait())
    with service.client(expires_s=3600) as client:
        client.post("/v1/collections", json={"id": "load", "name": "Load"}).raise_for_status()
        client.post("/v1/collections/load/persons", files={"images": photo}).raise_for_status()
        as_jpeg = {"Content-Type": "image/jpeg"}
        calls = [call("search", client, "POST", "/v1/collections/load/search", content=photo, headers=as_jpeg)]
    begun, moments, asking = time.perf_counter(), list[Moment](), 1

    async def look() -> None:
        states = await asyncio.to_thread(states_of, service)
        count = states.count
        moments.append(
            Moment(time.perf_counter() - begun, asking, count("RUNNING"), count("STARTING"), count("STOPPING"))
        )

    async with Connections(service.url) as http, every(1.0, look):
        answers = await ask_in_turn(http, calls, clients=1, is_over=after(QUIET_S))
        asking = clients
        up_s = await follow(http, calls, clients, lambda: moments[-1].running == most, answers)
        asking = 1
        down_s = await follow(http, calls, 1, lambda: moments[-1].running == 1 and moments[-1].stopping == 0, answers)
    return Scaling(moments, answers, up_s, down_s)


async def follow(
    http: Connections, calls: list[Call], clients: int, is_there: Callable[[], bool], answers: list[Answer]
) -> float:
    """Ask until the replicas are there and a while longer; return the seconds until they were, inf for never."""
    begun = time.perf_counter()
    reached: list[float] = []

    def is_over() -> bool:
        now = time.perf_counter() - begun
        if not reached and now > 1.5 and is_there():  # the first look after the change
            reached.append(now)
        return now > (reached[0] + HOLD_S if reached else LIMIT_S)

    answers += await ask_in_turn(http, calls, clients=clients, is_over=is_over)
    return reached[0] if reached else float("inf")


def states_of(service: Cluster) -> list[str]:
    """Return the states of the embedder's replicas."""
    replicas = service.status()["deployments"]["Embedder"]["replicas"]
    return [replica["state"] for replica in replicas]


def conclude(seen: Scaling, scaling: dict[str, Any], options: argparse.Namespace) -> int:
    """Print the timeline, write it where the options say, and return the exit code."""
    failed = [answer for answer in seen.answers if not answer.is_expected]
    refused = sum(answer.is_refusal for answer in failed)
    table = "\n".join(
        [
            f"{len(seen.answers):,} requests, of which {len(failed) - refused} failed and {refused} were refused. "
            f"All {options.max_replicas} embedders {seen.up_s:.0f} s after the load came, one "
            f"{seen.down_s:.0f} s after it went.",
            "",
            "| s | clients | answers/s | p50 / p95 ms | embedders that run | starting / stopping |",
            "|---|---|---|---|---|---|",
            *rows(seen),
        ]
    )
    print(table)
    if options.write:
        machine = description()
        told = ", ".join(f"`{name}: {value}`" for name, value in scaling.items())
        write_block(README, "autoscaling", f"{options.pack}; {told}. {sentence(machine)}\n\n{table}")
        timeline = [asdict(moment) for moment in seen.moments]
        result = {"machine": machine, "pack": options.pack, "autoscaling_config": scaling, "moments": timeline}
        (README.parent / "autoscaling.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if failed or float("inf") in (seen.up_s, seen.down_s) else 0


def rows(seen: Scaling) -> list[str]:
    """Return the timeline as a row for every five seconds."""
    begun = min(answer.at_s for answer in seen.answers)
    found = []
    for start in range(0, int(seen.moments[-1].at_s) - ROW_S + 1, ROW_S):  # without the last seconds, which fill none
        moments = [moment for moment in seen.moments if start <= moment.at_s < start + ROW_S]
        times = [
            answer.seconds for answer in seen.answers if start <= answer.at_s + answer.seconds - begun < start + ROW_S
        ]
        if moments:
            last = moments[-1]
            found.append(
                f"| {start} | {last.clients} | {len(times) / ROW_S:.1f} "
                f"| {percentile_ms(times, 50):.0f} / {percentile_ms(times, 95):.0f} "
                f"| {'█' * last.running} {last.running} | {last.starting} / {last.stopping} |"
            )
    return found


if __name__ == "__main__":
    main()
