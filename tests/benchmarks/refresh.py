"""Measures all that the README shows and writes it there. Run nothing else on the machine meanwhile.

Generates the packs and the int8 twin of the large one first. Stops at the first measurement that fails; `--only` runs
those named.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from encoders.packs.catalog import OPENCV_PACK

FACESERVE = Path(sys.executable).parent / "faceserve"
PICTURES = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, required=True, help="where the generated packs are, or are made")
    parser.add_argument("--real", type=Path, help="the directory of a pack that finds faces")
    parser.add_argument("--photos", type=Path, help="a folder of photos of one person each, for --real")
    parser.add_argument("--providers", nargs="+", default=["cpu"], help="that this service is measured with")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--only", nargs="+", help="names of blocks in the README")
    options = parser.parse_args()
    pictures = options.models_dir / "pictures"
    bench("packs", f"--models-dir={options.models_dir}", f"--pictures={pictures}", f"--count={PICTURES}")
    if not (options.models_dir / "bench_l_int8").is_dir():
        faceserve("pack", "quantize", "bench_l", str(pictures), f"--models={options.models_dir}")
    for name, command in measurements(options, sorted(map(str, pictures.glob("*.jpg")))).items():
        if not options.only or name in options.only:
            started = time.monotonic()
            bench(*command, f"--write={name}")
            print(f"{name}: {time.monotonic() - started:.0f} s", flush=True)


def measurements(options: argparse.Namespace, pictures: list[str]) -> Mapping[str, list[str]]:
    """Return the command of each block of the README."""
    models, seconds = f"--models-dir={options.models_dir}", f"--seconds={options.seconds:g}"
    commands = {
        "limit": ["limit", "bench_l", "bench_l_int8", models],
        "sessions": ["sessions", "bench_l", "bench_l_int8", models, f"--photo={pictures[0]}"],
        "ladder": ["ladder", models, seconds, *serve(options, "bench_l", "bench_l_int8"), *pictures],
        "ladder_sc": ["ladder", models, seconds, *serve(options, "bench_sc"), *pictures],
        "scaling": ["scaling", models, seconds],
        "scaling_fast": [
            *("scaling", models, seconds, "--pack=bench_l_int8", f"--provider={options.providers[-1]}"),
            *("--axes", "replicas", "proxy"),
        ],
        "gpu": ["gpu", models, seconds],
    }
    if options.real and options.photos:
        photos = sorted(map(str, options.photos.rglob("*.jpg")))
        real = f"--models-dir={options.real.parent}"
        commands |= {
            "ladder_real": ["ladder", real, seconds, *serve(options, options.real.name), *photos],
            "ladder_opencv": ["ladder", models, seconds, *serve(options, OPENCV_PACK), *photos],
            "small_first": [
                *("small_first", "bench_l", "bench_l_int8", models),
                *(f"--real={options.real}", f"--photos={options.photos}"),
            ],
        }
    return commands


def serve(options: argparse.Namespace, *packs: str) -> list[str]:
    """Return the rungs of this service: each pack on each provider."""
    rungs = [f"--serve={pack}:{provider}" for pack in packs for provider in options.providers]
    return [f"--pack={packs[0]}", *rungs]


def bench(*arguments: str) -> None:
    """Run a measurement."""
    faceserve("bench", *arguments)


def faceserve(*arguments: str) -> None:
    """Run the command line. Raises CalledProcessError when it fails."""
    subprocess.run([FACESERVE, *arguments], check=True)


if __name__ == "__main__":
    main()
