"""Starts what the benchmarks put under load: the plain baselines and this service, with the database under each."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from store.embedded.local import temporary_postgres
from tests.benchmarks.serving.baselines import APPLICATIONS, Baseline
from tests.benchmarks.serving.galleries import fill
from tests.ports import free_port

BIN = Path(sys.executable).parent
START_TIMEOUT_S = 180.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server under measurement: where it answers, and all the processes that do the work."""

    url: str
    headers: Mapping[str, str]
    roots: Sequence[psutil.Process]
    database_url: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """How this service is run."""

    pack: str
    provider: str = "cpu"
    replicas: int = os.cpu_count() or 1
    threads: int = 1
    proxy: str = "haproxy"

    @property
    def label(self) -> str:
        runtime = "" if self.provider == "cpu" else f", {self.provider}"
        return f"{self.pack}{runtime}, {self.replicas} x {self.threads}"


def configuration(text: str) -> Configuration:
    """Read `PACK[:PROVIDER[:REPLICASxTHREADS]]`. Raises ValueError."""
    pack, _, rest = text.partition(":")
    provider, _, shape = rest.partition(":")
    if not shape:
        return Configuration(pack, provider or "cpu")
    replicas, threads = (int(number) for number in shape.split("x"))
    return Configuration(pack, provider or "cpu", replicas, threads)


@contextlib.contextmanager
def plain_server(baseline: Baseline, pack: Path) -> Iterator[Served]:
    """Run a baseline behind uvicorn; `pack` is the directory of FaceAnalysis' models."""
    port = free_port()
    workers = baseline.workers
    with contextlib.ExitStack() as stack:
        environment = os.environ | baseline.environment(pack)
        databases = []
        if baseline.gallery != "none":
            postgres = stack.enter_context(temporary_postgres())
            asyncio.run(fill(postgres.url, baseline.gallery))
            environment["BASELINE_DATABASE_URL"] = postgres.url
            databases = [psutil.Process(postgres.pid)]
        command = [
            *(BIN / "uvicorn", "--factory", APPLICATIONS[baseline.models], "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", str(workers), "--log-level", "warning"),
        ]
        process = subprocess.Popen(command, env=environment, start_new_session=True)
        try:
            wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/openapi.json").status_code == 200, process)
            time.sleep(2.0 * (workers > 1))  # the first worker answers before the last has loaded its models
            yield Served(f"http://127.0.0.1:{port}/search", {}, [psutil.Process(process.pid), *databases])
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


@contextlib.contextmanager
def service(models_dir: Path, served: Configuration, photo: bytes) -> Iterator[Served]:
    """Run `faceserve up`, with one person enrolled from `photo`, and give its search operation."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="fsb", dir="/tmp") as folder, temporary_postgres() as postgres:
        log = Path(folder) / "up.log"
        command = [
            *(BIN / "faceserve", "up", f"--port={port}", f"--data={folder}/data", f"--models={models_dir}"),
            *(f"--pack={served.pack}", f"--provider={served.provider}", f"--database-url={postgres.url}"),
            *(f"--replicas={served.replicas}", f"--threads={served.threads}", f"--proxy={served.proxy}"),
        ]
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True)
        try:
            try:
                wait_until(lambda: "Ctrl-C stops" in log.read_text(), process)
            except AssertionError as error:
                raise AssertionError(f"{error}: {log.read_text()[-500:]}") from error
            token = re.search(r"FACESERVE_TOKEN=(\S+)", log.read_text())
            assert token is not None
            headers = {"Authorization": f"Bearer {token[1]}"}
            base = f"http://127.0.0.1:{port}/v1/collections"
            httpx.post(base, headers=headers, json={"id": "bench", "name": "Bench"}).raise_for_status()
            httpx.post(f"{base}/bench/persons", headers=headers, files={"images": photo}, timeout=60).raise_for_status()
            roots = [psutil.Process(process.pid), psutil.Process(postgres.pid)]
            yield Served(f"{base}/bench/search", headers, roots, postgres.url)
        finally:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGINT)
            process.wait(60)


def wait_until(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    """Return once `condition` is true; fail when `process` ended or took too long."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        assert process.poll() is None, "the server ended"
        with contextlib.suppress(httpx.HTTPError):
            if condition():
                return
        assert time.monotonic() < deadline, f"the server did not answer within {START_TIMEOUT_S:g} s"
        time.sleep(0.2)
