"""From the plain baseline to this service and on to the limit, in one run, with the same models and photos.

    python -m tests.benchmarks.ladder --models-dir DIR --pack PACK [--int8 PACK] [--seconds S] PHOTO...

Rungs: FastAPI with FaceAnalysis on the event loop, in a thread pool, and with 2 and 4 uvicorn workers; this service;
the same work in process. Prints a table and writes it as JSON with `--out`. Only ratios within one run mean something:
the load runs on the same cores as what it measures.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import psutil

from tests.benchmarks.load import Load, apply_load, summarise
from tests.benchmarks.machine import Cost, cost, description
from tests.ports import free_port

BIN = Path(sys.executable).parent
CONCURRENCIES = (1, 4, 16)


@dataclass(frozen=True, slots=True)
class Rung:
    """One way of serving, under each load."""

    name: str
    loads: tuple[Load, ...]
    cpu_seconds_per_request: float
    worker_rss_mb: float

    @property
    def best_per_second(self) -> float:
        return max(load.per_second for load in self.loads)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pack", required=True, help="fp32, a directory below --models-dir")
    parser.add_argument("--int8", help="its quantised twin, served too")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--replicas", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--skip-baselines", action="store_true")
    parser.add_argument("--out", type=Path)
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    photos = [photo.read_bytes() for photo in options.photos]
    rungs: list[Rung] = []
    if not options.skip_baselines:
        for name, mode, workers in (
            ("FastAPI, on the event loop", "loop", 1),
            ("FastAPI, thread pool", "threads", 1),
            ("FastAPI, 2 workers", "threads", 2),
            ("FastAPI, 4 workers", "threads", 4),
        ):
            with plain_server(options.models_dir / options.pack, mode, workers) as (url, process):
                rungs.append(measure(name, url, {}, photos, process, "python", options.seconds))
                show(rungs[-1])
    for pack in filter(None, (options.pack, options.int8)):
        with service(options, pack) as (url, headers, process):
            rungs.append(measure(f"faceserve, {pack}", url, headers, photos, process, "Embedder", options.seconds))
            show(rungs[-1])
        rungs.append(in_process(options, pack))
        show(rungs[-1])
    conclude(rungs)
    if options.out:
        result = {"machine": description(), "rungs": [asdict(rung) for rung in rungs]}
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def measure(
    name: str,
    url: str,
    headers: dict[str, str],
    photos: list[bytes],
    process: psutil.Process,
    worker: str,
    seconds: float,
) -> Rung:
    """Load one rung at each concurrency, after a warm-up."""
    headers = headers | {"Content-Type": "image/jpeg"}
    apply_load(url, headers, photos, concurrency=4, seconds=min(3.0, seconds))
    before = cost(process)
    loads = tuple(
        apply_load(url, headers, photos, concurrency=concurrency, seconds=seconds) for concurrency in CONCURRENCIES
    )
    after = cost(process)
    answers = sum(load.answers for load in loads)
    return Rung(name, loads, (after.cpu_seconds - before.cpu_seconds) / max(1, answers), largest(after, worker))


def largest(spent: Cost, worker: str) -> float:
    """Return the largest resident set of the processes that run models, in MB."""
    return max((rss for name, rss in spent.rss_mb.items() if worker in name), default=float("nan"))


def show(rung: Rung) -> None:
    """Print a rung as a line per load."""
    for load in rung.loads:
        print(
            f"{rung.name:30} c={load.concurrency:<3} {load.per_second:7.2f}/s  p50 {load.p50_ms:7.1f}  "
            f"p95 {load.p95_ms:7.1f}  p99 {load.p99_ms:7.1f} ms  failures {load.failures}",
            flush=True,
        )
    print(f"{'':30} CPU {rung.cpu_seconds_per_request * 1000:.0f} ms/request, worker {rung.worker_rss_mb:.0f} MB")


def conclude(rungs: list[Rung]) -> None:
    """Print the ratios that matter."""
    plain = [rung for rung in rungs if rung.name.startswith("FastAPI")]
    for served, limit in zip(
        [rung for rung in rungs if rung.name.startswith("faceserve")],
        [rung for rung in rungs if rung.name.startswith("in process")],
        strict=True,
    ):
        overhead = served.loads[0].p50_ms / limit.loads[0].p50_ms
        saturation = served.best_per_second / limit.best_per_second
        print(f"{served.name}: overhead {overhead:.3f} (served p50 / in-process p50), saturation {saturation:.3f}")
        if plain:
            best = max(plain, key=lambda rung: rung.best_per_second)
            print(f"{served.name}: {served.best_per_second / best.best_per_second:.2f} times '{best.name}'")


@contextlib.contextmanager
def plain_server(models: Path, mode: str, workers: int) -> Iterator[tuple[str, psutil.Process]]:
    """Run the baseline and give its URL and process."""
    port = free_port()
    environment = os.environ | {"BASELINE_MODELS": str(models), "BASELINE_MODE": mode}
    command = [
        *(BIN / "uvicorn", "--factory", "tests.benchmarks.plain_server:create", "--host", "127.0.0.1"),
        *("--port", str(port), "--workers", str(workers), "--log-level", "warning"),
    ]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200, process)
        time.sleep(2.0 * (workers > 1))  # the first worker answers before the last has loaded its models
        yield f"http://127.0.0.1:{port}/search", psutil.Process(process.pid)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


@contextlib.contextmanager
def service(options: argparse.Namespace, pack: str) -> Iterator[tuple[str, dict[str, str], psutil.Process]]:
    """Run `faceserve up`, with one person enrolled, and give its search URL, its headers and its process."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fsbench", dir="/tmp") as folder:
        log = Path(folder) / "up.log"
        command = [
            *(BIN / "faceserve", "up", f"--port={port}", f"--data={folder}/data", f"--models={options.models_dir}"),
            *(f"--pack={pack}", f"--replicas={options.replicas}", f"--threads={options.threads}"),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            wait_until(lambda: "Ctrl-C stops" in log.read_text(), process)
            token = re.search(r"FACESERVE_TOKEN=(\S+)", log.read_text())
            assert token is not None
            headers = {"Authorization": f"Bearer {token[1]}"}
            base = f"http://127.0.0.1:{port}/v1/collections"
            httpx.post(base, headers=headers, json={"id": "bench", "name": "Bench"}).raise_for_status()
            photo = options.photos[0].read_bytes()
            httpx.post(f"{base}/bench/persons", headers=headers, files={"images": photo}, timeout=60).raise_for_status()
            yield f"{base}/bench/search", headers, psutil.Process(process.pid)
        finally:
            os.kill(process.pid, signal.SIGINT)
            process.wait(60)


def in_process(options: argparse.Namespace, pack: str) -> Rung:
    """Measure the same work without a server: one worker for the latency, as many as replicas for the rate."""
    alone, _ = run_workers(options, pack, 1)
    together, rss_mb = run_workers(options, pack, options.replicas)
    loads = (
        summarise(1, options.seconds, alone[0], 0),
        summarise(options.replicas, options.seconds, [time_ms for times in together for time_ms in times], 0),
    )
    cpu = sum(alone[0]) / len(alone[0]) / 1000 * options.threads
    return Rung(f"in process, {pack}", loads, cpu, rss_mb)


def run_workers(options: argparse.Namespace, pack: str, count: int) -> tuple[list[list[float]], float]:
    """Run `count` bare workers side by side; return the times of each in ms, and the largest resident set in MB."""
    command = [
        *(sys.executable, "-m", "tests.benchmarks.in_process", f"--models-dir={options.models_dir}"),
        *(f"--pack={pack}", f"--threads={options.threads}", f"--seconds={options.seconds}", *map(str, options.photos)),
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
    return [json.loads(worker.communicate()[0]) for worker in workers], rss_mb


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Return once `condition` is true; fail when `process` ended or after two minutes."""
    deadline = time.monotonic() + 120
    while True:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(httpx.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, "the server did not answer within 120 s"
        time.sleep(0.2)


if __name__ == "__main__":
    main()
