"""How near the two networks come to what the processor can do: their GFLOP/s beside those of a large sgemm.

numpy's OpenBLAS does the sgemm, ONNX Runtime the networks, on the same number of threads, one after the other. int8
can exceed sgemm: the processor has other units for it.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx

from encoders.packs.directory import find_pack
from encoders.quantization.models import least_ms
from encoders.runtimes.sessions import open_session
from tests.benchmarks.packs.networks import flops
from tests.benchmarks.results import publish, table

EDGE = 2048  # of the matrices: 17.2 GFLOP, out of any cache
SHAPES = {
    "detector, 640x640": ("detector", (1, 3, 640, 640)),
    "recogniser, batch 1": ("recogniser", (1, 3, 112, 112)),
    "recogniser, batch 8": ("recogniser", (8, 3, 112, 112)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="+", help="the first one fp32, its quantised twins after it")
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10, help="of which the fastest counts")
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads is not None:
        print(json.dumps(measure(options)))
        return
    all_cores = os.cpu_count() or 1
    results = {threads: in_a_process(threads) for threads in sorted({1, all_cores})}
    columns = ["GFLOP/s, share of sgemm", *(f"threads: {threads}" for threads in results)]
    rows = []
    for label in results[1]:
        cells = [f"{rates[label]:.0f}, {rates[label] / rates['sgemm']:.2f}" for rates in results.values()]
        rows.append([label, *cells])
    markdown = table(columns, rows)
    print(markdown)
    if options.write:
        command = f"uv run faceserve bench limit {' '.join(options.packs)} --models-dir DIR"
        publish(options.write, command, {"gflops_by_threads": results}, markdown)


def in_a_process(threads: int) -> dict[str, float]:
    """Measure with so many threads: OpenBLAS reads their number when it is loaded."""
    command = [sys.executable, "-m", "tests.benchmarks.encoders.limit", *sys.argv[1:], f"--threads={threads}"]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Return the GFLOP/s of sgemm and of each network of each pack. A twin is counted as its fp32 parent."""
    matrix = np.random.default_rng(1).random((EDGE, EDGE), np.float32)
    rates = {"sgemm": 2e-6 * EDGE**3 / fastest_ms(lambda: matrix @ matrix, options.rounds)}
    parent = find_pack(options.models_dir, options.packs[0])
    for name in options.packs:
        pack = find_pack(options.models_dir, name)
        for label, (task, shape) in SHAPES.items():
            work = flops(onnx.load(str(getattr(parent, task))), (1, *shape[1:])) * shape[0]
            session = open_session(getattr(pack, task), name, "cpu", options.threads)
            rates[f"{name}, {label}"] = work * 1e-6 / least_ms([session], shape, options.rounds)[0]
    return rates


def fastest_ms(work: Callable[[], object], rounds: int) -> float:
    """Return the least time that `work` takes in so many rounds."""
    times_ms = []
    for _ in range(rounds + 1):
        started = time.perf_counter()
        work()
        times_ms.append((time.perf_counter() - started) * 1000)
    return min(times_ms[1:])


if __name__ == "__main__":
    main()
