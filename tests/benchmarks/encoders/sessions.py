"""Times the two networks of packs on ONNX Runtime and OpenVINO, in turns: `faceserve bench sessions --help`.

The rounds of all alternate, so that whatever else the machine does falls on all; the least time of each counts. Compare
the ratios within one run, not milliseconds between runs. The pictures are noise: a PRelu is twice as fast on zeros,
whose sign its processor foresees.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil

from encoders.detection.detector import SCALING
from encoders.loading import load_encoder
from encoders.packs.directory import Pack, find_pack
from encoders.recognition.recogniser import scaling_of
from encoders.runtimes.networks import Network
from encoders.runtimes.opening import open_network
from encoders.types import AnalyzeOptions
from tests.benchmarks.results import publish, table

# what is run: its task, pictures at once, and their side in pixels
CASES = {
    "detect 640x640": ("detector", 1, 640),
    "detect 320x320": ("detector", 1, 320),
    "embed a face": ("recogniser", 1, 112),
    "embed 4 faces, each": ("recogniser", 4, 112),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packs", nargs="+", help="the first is what the others are compared with")
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--providers", nargs="+", default=["cpu", "openvino"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--photo", type=Path, help="weigh each encoder after it has seen this photo ten times")
    parser.add_argument("--write", metavar="NAME", help="keep the table as this block of the README")
    parser.add_argument("--weigh", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.weigh:
        print(resident_mb(arguments.models_dir, arguments.packs[0], arguments.weigh, arguments))
        return
    places = [(pack, provider) for pack in arguments.packs for provider in arguments.providers]
    columns = [f"{pack}, {provider}" for pack, provider in places]
    packs = {name: find_pack(arguments.models_dir, name) for name in arguments.packs}
    rows, measured = [], {}
    for case, (task, count, side) in CASES.items():
        networks = [opened(packs[pack], task, provider, arguments.threads, count) for pack, provider in places]
        times_ms = [time_ms / count for time_ms in least_ms(networks, count, side, arguments.rounds)]
        rows.append([f"{case}, ms", *(f"{time_ms:.1f} ({times_ms[0] / time_ms:.1f}x)" for time_ms in times_ms)])
        measured[case] = dict(zip(columns, times_ms, strict=True))
    if arguments.photo:
        sizes_mb = [weighed(pack, provider, arguments) for pack, provider in places]
        rows.append(["an encoder at work, MB", *sizes_mb])
        measured["resident_mb"] = dict(zip(columns, map(float, sizes_mb), strict=True))
    markdown = table(["", *columns], rows)
    print(markdown)
    if arguments.write:
        command = f"uv run faceserve bench sessions {' '.join(arguments.packs)} --models-dir DIR --photo PHOTO"
        publish(arguments.write, command, measured, markdown)


def opened(pack: Pack, task: str, provider: str, threads: int, count: int) -> Network:
    """Return one network of `pack` as the encoder opens it, for `count` pictures at once."""
    model = pack.detector if task == "detector" else pack.recogniser
    scaling = SCALING if task == "detector" else scaling_of(model)
    return open_network(model, pack.name, scaling, provider, threads, (count,))


def least_ms(networks: Sequence[Network], count: int, side: int, rounds: int) -> list[float]:
    """Return the least time of each network for `count` square pictures, in rounds of one after the other."""
    pictures = list(np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8))
    least = [float("inf")] * len(networks)
    for number in range(rounds + 2):
        for index, network in enumerate(networks):
            started = time.perf_counter()
            network.run(pictures)
            if number > 1:  # the first rounds allocate and compile
                least[index] = min(least[index], (time.perf_counter() - started) * 1e3)
    return least


def weighed(pack: str, provider: str, arguments: argparse.Namespace) -> str:
    """Return the resident MB of a process with nothing but this encoder: memory once taken is seldom given back."""
    command = [
        *(sys.executable, "-m", "tests.benchmarks.encoders.sessions", pack, "--models-dir", str(arguments.models_dir)),
        *("--threads", str(arguments.threads), "--photo", str(arguments.photo), "--weigh", provider),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def resident_mb(models_dir: Path, pack: str, provider: str, arguments: argparse.Namespace) -> int:
    """Return this process's resident MB with the encoder of `pack` loaded and used."""
    encoder = load_encoder(pack, models_dir, provider=provider, threads=arguments.threads)
    photo = arguments.photo.read_bytes()
    for _ in range(10):
        encoder.analyze(photo, AnalyzeOptions())
    return round(psutil.Process().memory_info().rss / 1e6)


if __name__ == "__main__":
    main()
