"""The limit: the same work as a search without anything around it.

`python -m tests.benchmarks.encoders.in_process` runs one worker and prints, as JSON, the milliseconds of each photo
and the CPU seconds of all; the ladder starts one for the latency and one per core for the throughput.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from encoders.loading import load_encoder
from encoders.types import AnalyzeOptions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pack", required=True)
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    encoder = load_encoder(options.pack, options.models_dir, provider=options.provider, threads=options.threads)
    photos = [photo.read_bytes() for photo in options.photos]
    look = AnalyzeOptions(selection="largest")
    for photo in photos:
        encoder.analyze(photo, look)
    print("ready", flush=True)
    sys.stdin.readline()  # all workers begin together
    times_ms: list[float] = []
    before_s = time.process_time()
    stop = time.perf_counter() + options.seconds
    while time.perf_counter() < stop:
        started = time.perf_counter()
        encoder.analyze(photos[len(times_ms) % len(photos)], look)
        times_ms.append((time.perf_counter() - started) * 1000)
    print(json.dumps({"times_ms": times_ms, "cpu_s": time.process_time() - before_s}))


if __name__ == "__main__":
    main()
