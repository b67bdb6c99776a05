"""Times an encoder on photos, stage by stage: `faceserve bench stages --help`."""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

from encoders.loading import load_encoder
from encoders.packs.catalog import OPENCV_PACK
from encoders.types import AnalyzeOptions, Encoder

STAGES = ("decode_ms", "detect_ms", "embed_ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--pack", default=OPENCV_PACK)
    parser.add_argument("--models-dir", type=Path, default=Path("~/.insightface/models"))
    parser.add_argument("--provider", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--single", action="store_true", help="the largest face alone, with and without the small look")
    parser.add_argument("--against-insightface", action="store_true", help="time FaceAnalysis on the same files too")
    arguments = parser.parse_args()

    models_dir = arguments.models_dir.expanduser()
    images = [path.read_bytes() for path in arguments.photos]
    started = time.perf_counter()
    encoder = load_encoder(arguments.pack, models_dir, arguments.provider, arguments.threads)
    print(f"{arguments.pack}: ready after {time.perf_counter() - started:.1f} s")
    if arguments.single:
        time_single_face(encoder, images, arguments.rounds)
    else:
        time_encoder(encoder, images, arguments.rounds)
    if arguments.against_insightface:
        time_insightface(models_dir / arguments.pack, images, arguments.rounds, arguments.threads)


def time_encoder(encoder: Encoder, images: list[bytes], rounds: int) -> None:
    """Print the least of each stage's times in `rounds`, which other work on the machine disturbs least, per image."""
    stage_ms: dict[str, list[float]] = {stage: [] for stage in (*STAGES, "total_ms")}
    faces = 0
    for image in images:
        runs = [_timed(encoder, image, AnalyzeOptions()) for _ in range(rounds)]
        faces += int(runs[0]["faces"])
        for stage, times in stage_ms.items():
            times.append(min(run[stage] for run in runs))
    for stage, times in stage_ms.items():
        print(f"  {stage:<10} {statistics.fmean(times):7.1f}")
    print(f"  {faces} faces in {len(images)} photos")


def time_single_face(encoder: Encoder, images: list[bytes], rounds: int) -> None:
    """Print what the largest face costs with the whole input and with a small look first, taken in turns per image."""
    ways = {
        "whole input": AnalyzeOptions(selection="largest", counts_faces=True),
        "small look first": AnalyzeOptions(selection="largest"),
    }
    least: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    looked_in_full = 0
    for image in images:
        runs: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
        for _ in range(rounds):
            for way, options in ways.items():
                runs[way].append(_timed(encoder, image, options))
        for way in ways:
            least[way].append({stage: min(run[stage] for run in runs[way]) for stage in (*STAGES, "total_ms")})
        looked_in_full += encoder.analyze(image, ways["small look first"]).looked_in_full
    for way in ways:
        print(f"{way:<17}" + "".join(f" {stage} {_mean(least[way], stage):7.1f}" for stage in (*STAGES, "total_ms")))
    for stage in ("detect_ms", "total_ms"):
        whole, small_first = (_mean(least[way], stage) for way in ways)
        print(f"  {stage} small look first / whole input: {small_first / whole:.2f}")
    print(f"  {looked_in_full} of {len(images)} photos needed the whole input after all")


def time_insightface(pack_directory: Path, images: list[bytes], rounds: int, threads: int) -> None:
    """Print the same for InsightFace's own FaceAnalysis: cv2's decode, 640x640, one embedding at a time."""
    import cv2
    import numpy as np
    import onnxruntime
    from insightface.app import FaceAnalysis

    session_options = onnxruntime.SessionOptions()
    session_options.intra_op_num_threads = threads
    session_options.log_severity_level = 3
    analysis: Any = FaceAnalysis(
        str(pack_directory),
        allowed_modules=["detection", "recognition"],
        providers=["CPUExecutionProvider"],
        sess_options=session_options,
    )
    analysis.prepare(ctx_id=-1, det_size=(640, 640))
    means = []
    for image in images:
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            analysis.get(cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR))
            times.append((time.perf_counter() - started) * 1e3)
        means.append(min(times))
    print(f"insightface FaceAnalysis\n  total_ms   {statistics.fmean(means):7.1f}")


def _mean(runs: list[dict[str, float]], stage: str) -> float:
    return statistics.fmean(run[stage] for run in runs)


def _timed(encoder: Encoder, image: bytes, options: AnalyzeOptions) -> dict[str, float]:
    started = time.perf_counter()
    analysis = encoder.analyze(image, options)
    total_ms = (time.perf_counter() - started) * 1e3
    return {stage: getattr(analysis, stage) for stage in STAGES} | {"total_ms": total_ms, "faces": len(analysis.faces)}


if __name__ == "__main__":
    main()
