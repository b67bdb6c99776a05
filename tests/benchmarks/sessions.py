"""Times the sessions of two packs in turns, fp32 and int8: `python -m tests.benchmarks.sessions --help`.

The rounds of both packs alternate, so that whatever else the machine does falls on both; the least time of each counts.
Compare the ratios within one run, not milliseconds between runs.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import onnxruntime
import psutil

from encoders.packs import find_pack, verify_pack
from encoders.quantize_models import least_ms
from encoders.sessions import open_session

CASES = {
    "detect 640": ("detector", (1, 3, 640, 640)),
    "detect 320": ("detector", (1, 3, 320, 320)),
    "embed, batch 1": ("recogniser", (1, 3, 112, 112)),
    "embed, batch 8, per face": ("recogniser", (8, 3, 112, 112)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fp32", help="a pack")
    parser.add_argument("int8", help="its quantised twin")
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--int8-models-dir", type=Path, help="where the twin is, if elsewhere")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory-of", choices=("fp32", "int8"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()

    places = {"fp32": (arguments.models_dir, arguments.fp32)}
    places["int8"] = (arguments.int8_models_dir or arguments.models_dir, arguments.int8)
    if arguments.memory_of is not None:
        print_memory(*places[arguments.memory_of], arguments.threads)
        return
    sessions = {kind: sessions_of(*place, arguments.threads) for kind, place in places.items()}
    print(
        f"{arguments.fp32} and {arguments.int8}, threads: {arguments.threads}, least of {arguments.rounds} rounds, ms"
    )
    print(f"{'':26}{'fp32':>9}{'int8':>9}{'ratio':>8}")
    for case, (task, shape) in CASES.items():
        pair = [sessions[kind][task] for kind in ("fp32", "int8")]
        fp32, int8 = (time_ms / shape[0] for time_ms in least_ms(pair, shape, arguments.rounds))
        print(f"{case:26}{fp32:9.1f}{int8:9.1f}{fp32 / int8:8.2f}")
    for kind in places:  # in processes of their own: memory once taken is seldom given back
        command = [sys.executable, "-m", "tests.benchmarks.sessions", *sys.argv[1:], "--memory-of", kind]
        print(subprocess.run(command, capture_output=True, text=True, check=True).stdout, end="")


def sessions_of(models_dir: Path, name: str, threads: int) -> dict[str, onnxruntime.InferenceSession]:
    """The two sessions of a pack, as the encoder opens them."""
    pack = find_pack(models_dir, name)
    verify_pack(pack)
    return {
        "detector": open_session(pack.detector, name, "cpu", threads),
        "recogniser": open_session(pack.recogniser, name, "cpu", threads),
    }


def print_memory(models_dir: Path, name: str, threads: int) -> None:
    """Print this process's memory with both sessions open and used, and without them."""
    process = psutil.Process()
    before = process.memory_info().rss
    sessions = {
        task: open_session(model, name, "cpu", threads)
        for task, model in (
            ("detector", find_pack(models_dir, name).detector),
            ("recogniser", find_pack(models_dir, name).recogniser),
        )
    }
    for task, shape in CASES.values():
        least_ms([sessions[task]], shape, 2)
    resident = process.memory_info().rss
    print(f"{name}: {resident / 2**20:.0f} MiB resident, of these the sessions {(resident - before) / 2**20:.0f}")


if __name__ == "__main__":
    main()
