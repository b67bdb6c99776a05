"""Measures one way of doing the work: a server under each load, or bare workers."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from tests.benchmarks.machine import cost
from tests.benchmarks.serving.load import Load, apply_load, summarise
from tests.benchmarks.serving.serving import Configuration, Served

CONCURRENCIES = (1, 4, 16)
WARM_UP_S = 3.0


@dataclass(frozen=True, slots=True)
class Rung:
    """One way of doing the work, under each load. `worker_rss_mb`: of the largest process that runs models."""

    name: str
    loads: tuple[Load, ...]
    worker_rss_mb: float

    @property
    def best_per_second(self) -> float:
        return max(load.per_second for load in self.loads)

    @property
    def p50_ms(self) -> float:
        """Of one client."""
        return self.loads[0].p50_ms

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per answer of all serving processes, under the largest load."""
        return sum(self.loads[-1].cpu_ms.values())


def measure(
    name: str,
    served: Served,
    photos: list[bytes],
    seconds: float,
    worker: str = "worker",
    concurrencies: tuple[int, ...] = CONCURRENCIES,
) -> Rung:
    """Load a server with each concurrency in turn, after a warm-up; `worker`: the role that runs models."""
    headers = {**served.headers, "Content-Type": "image/jpeg"}
    apply_load(served.url, headers, photos, concurrency=concurrencies[-1], seconds=min(WARM_UP_S, seconds))
    loads = []
    for concurrency in concurrencies:
        before = cost(served.roots)
        load = apply_load(served.url, headers, photos, concurrency=concurrency, seconds=seconds)
        spent = cost(served.roots).since(before)
        per_answer = {role: 1000 * cpu_s / max(1, load.answers) for role, cpu_s in spent.items()}
        loads.append(replace(load, cpu_ms=per_answer))
    return Rung(name, tuple(loads), cost(served.roots).rss_mb.get(worker, float("nan")))


def in_process(models_dir: Path, configuration: Configuration, photos: list[Path], seconds: float) -> Rung:
    """Measure the same work without a server: one worker for the latency, as many as replicas for the rate."""
    loads = []
    for workers in (1, configuration.replicas):
        load, rss_mb = run_workers(models_dir, configuration, photos, seconds, workers)
        loads.append(load)
    return Rung(f"in process, {configuration.label}", tuple(loads), rss_mb)


def run_workers(
    models_dir: Path, configuration: Configuration, photos: list[Path], seconds: float, count: int
) -> tuple[Load, float]:
    """Run `count` bare workers side by side; return their load, and the largest resident set in MB."""
    command = [
        *(sys.executable, "-m", "tests.benchmarks.encoders.in_process", f"--models-dir={models_dir}"),
        *(f"--pack={configuration.pack}", f"--provider={configuration.provider}"),
        *(f"--threads={configuration.threads}", f"--seconds={seconds}", *map(str, photos)),
    ]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    rss_mb = max(psutil.Process(worker.pid).memory_info().rss for worker in workers) / 2**20
    results = [json.loads(worker.communicate()[0]) for worker in workers]
    times_ms = [time_ms for result in results for time_ms in result["times_ms"]]
    cpu_ms = 1000 * sum(result["cpu_s"] for result in results) / max(1, len(times_ms))
    return replace(summarise(count, seconds, times_ms, 0), cpu_ms={"worker": cpu_ms}), rss_mb
