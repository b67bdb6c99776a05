"""A closed-loop load: so many clients, each with one request under way, for so long."""

import http.client
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Load:
    """What `concurrency` clients got in `seconds`. Latencies in milliseconds, of the answers with status 2xx.

    `cpu_ms`: CPU milliseconds per answer by role of the serving processes, the load's own not among them.
    """

    concurrency: int
    seconds: float
    answers: int
    failures: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms: Mapping[str, float] = field(default_factory=dict)

    @property
    def per_second(self) -> float:
        return self.answers / self.seconds


def apply_load(
    url: str, headers: Mapping[str, str], bodies: Sequence[bytes], *, concurrency: int, seconds: float
) -> Load:
    """Post `bodies` in turn to `url` from `concurrency` threads for `seconds`."""
    parts = urlsplit(url)
    latencies: list[float] = []
    failures: list[int] = []
    stop = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
        index = number
        while time.perf_counter() < stop:
            started = time.perf_counter()
            try:
                connection.request("POST", parts.path, body=bodies[index % len(bodies)], headers=dict(headers))
                response = connection.getresponse()
                response.read()
            except OSError:  # a baseline that keeps a client waiting for two minutes has failed it
                failures.append(0)
                connection.close()
                continue
            if 200 <= response.status < 300:
                latencies.append((time.perf_counter() - started) * 1000)
            else:
                failures.append(response.status)
            index += concurrency
        connection.close()

    began = time.perf_counter()
    threads = [threading.Thread(target=client, args=(number,)) for number in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return summarise(concurrency, time.perf_counter() - began, latencies, len(failures))


def summarise(concurrency: int, seconds: float, latencies_ms: Sequence[float], failures: int) -> Load:
    """Return the figures of a load from its latencies. Raises ValueError when there are none."""
    if not latencies_ms:
        raise ValueError(f"{concurrency} clients got no answer in {seconds:.0f} s, but {failures} failures")
    samples = latencies_ms if len(latencies_ms) > 1 else [*latencies_ms, *latencies_ms]  # quantiles takes two or more
    cuts = statistics.quantiles(samples, n=100, method="inclusive")
    return Load(concurrency, seconds, len(latencies_ms), failures, cuts[49], cuts[94], cuts[98])
