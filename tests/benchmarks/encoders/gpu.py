"""What the models do on a GPU: faces a second by batch, one client's latency, and the service end to end.

For each provider that ONNX Runtime has here, and each precision that it has: fp32, tf32 and fp16 on CUDA, fp32 and fp16
on TensorRT. Where there is no GPU the same runs on the CPU in fp32, which shows that the command works and no more.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.transformers.float16 import convert_float_to_float16

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import Pack, find_pack
from encoders.types import AnalyzeOptions
from tests.benchmarks.packs.packs import draw_picture, jpeg
from tests.benchmarks.results import publish, table
from tests.benchmarks.serving.rungs import Rung, measure
from tests.benchmarks.serving.serving import Configuration, service

BATCHES = (1, 2, 4, 8, 16, 32, 64)
PICTURES = 8


@dataclass(frozen=True, slots=True)
class Precision:
    """How a provider of ONNX Runtime computes. `halves`: the models are converted to fp16 before."""

    provider: str
    name: str
    execution_provider: str
    options: Mapping[str, Any]
    halves: bool = False


PRECISIONS = (
    Precision("cpu", "fp32", "CPUExecutionProvider", MappingProxyType({})),
    Precision("cuda", "fp32", "CUDAExecutionProvider", MappingProxyType({"use_tf32": "0"})),
    Precision("cuda", "tf32", "CUDAExecutionProvider", MappingProxyType({"use_tf32": "1"})),
    Precision("cuda", "fp16", "CUDAExecutionProvider", MappingProxyType({"use_tf32": "1"}), halves=True),
    Precision("tensorrt", "fp32", "TensorrtExecutionProvider", MappingProxyType({"trt_fp16_enable": False})),
    Precision("tensorrt", "fp16", "TensorrtExecutionProvider", MappingProxyType({"trt_fp16_enable": True})),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one provider and precision. `analyze_p50_ms`: decode to embedding of one picture, one after the other."""

    provider: str
    precision: str
    faces_per_second: Mapping[int, float]
    detect_p50_ms: float
    analyze_p50_ms: float
    cosine_to_first: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models-dir", type=Path, required=True)
    parser.add_argument("--pack", default="bench_l")
    parser.add_argument("--providers", nargs="+", choices=("cpu", "cuda", "tensorrt"), help="by default all there are")
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--rounds", type=int, default=20, help="of each measurement, whose median counts")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load of the service; 0: do not start it")
    parser.add_argument("--write", metavar="NAME", help="keep the result as results/NAME.json and in the README")
    options = parser.parse_args()
    precisions = [chosen for chosen in PRECISIONS if is_wanted(chosen, options.providers)]
    pictures = [jpeg(draw_picture(seed)) for seed in range(PICTURES)]
    with tempfile.TemporaryDirectory() as folder:
        measured, first = [], None
        for precision in precisions:
            pack = prepared(find_pack(options.models_dir, options.pack), precision, Path(folder))
            figures, first = measure_models(pack, precision, options, pictures, first)
            measured.append(figures)
            print(figures, flush=True)
    rungs = []
    for provider in dict.fromkeys(precision.provider for precision in precisions) if options.seconds else ():
        wanted = Configuration(options.pack, provider, replicas=1)
        with service(options.models_dir, wanted, pictures[0]) as served:
            rungs.append(measure(f"service, {provider}", served, pictures, options.seconds, "Embedder"))
        print(rungs[-1], flush=True)
    markdown = page(measured, rungs, options.batches)
    print(markdown)
    if options.write:
        command = f"uv run faceserve bench gpu --models-dir DIR --pack {options.pack}"
        everything = {"models": [asdict(figures) for figures in measured], "service": [asdict(rung) for rung in rungs]}
        publish(options.write, command, everything, markdown)


def is_wanted(precision: Precision, providers: list[str] | None) -> bool:
    """Return whether to measure it: what was asked for, or else what there is; the CPU only where there is no more."""
    if providers:
        return precision.provider in providers
    available = onnxruntime.get_available_providers()
    has_gpu = "CUDAExecutionProvider" in available
    return precision.execution_provider in available and (precision.provider != "cpu" or not has_gpu)


def prepared(pack: Pack, precision: Precision, folder: Path) -> dict[str, Path]:
    """Return the files of both models as `precision` wants them."""
    models = {"detector": pack.detector, "recogniser": pack.recogniser}
    if not precision.halves:
        return models
    halves = {}
    for task, path in models.items():
        halves[task] = folder / f"{task}.onnx"
        onnx.save(convert_float_to_float16(onnx.load(str(path)), keep_io_types=True), str(halves[task]))
    return halves


def measure_models(
    models: dict[str, Path],
    precision: Precision,
    options: argparse.Namespace,
    pictures: list[bytes],
    first: np.ndarray | None,
) -> tuple[Figures, np.ndarray]:
    """Return the figures of both models, and the first picture's embedding; `first`: that of the first precision."""

    def open_precise(model: Path, *_: Any) -> onnxruntime.InferenceSession:
        task = "detector" if model == pack.detector else "recogniser"
        return open_models[task]

    pack = find_pack(options.models_dir, options.pack)
    open_models = {task: open_session(model, precision) for task, model in models.items()}
    rates = {}
    for batch in options.batches:
        blob = np.random.default_rng(1).uniform(-1, 1, (batch, 3, 112, 112)).astype(np.float32)
        rates[batch] = 1000 * batch / median_ms(open_models["recogniser"], blob, options.rounds)
    detect_ms = median_ms(open_models["detector"], np.zeros((1, 3, 640, 640), np.float32), options.rounds)
    encoder = InsightFacePackEncoder(pack, provider=precision.provider, open_session=open_precise)
    times_ms = []
    look = AnalyzeOptions(selection="largest")
    for number in range(options.rounds + 1):
        started = time.perf_counter()
        encoder.analyze(pictures[number % len(pictures)], look)
        times_ms.append(1000 * (time.perf_counter() - started))
    embedding = encoder.analyze(pictures[0], look).faces[0].embedding
    assert embedding is not None
    first = embedding if first is None else first
    return (
        Figures(
            precision.provider,
            precision.name,
            rates,
            detect_ms,
            statistics.median(times_ms[1:]),
            float(embedding @ first),
        ),
        first,
    )


def open_session(model: Path, precision: Precision) -> onnxruntime.InferenceSession:
    """Return a session that runs on what `precision` names. Raises RuntimeError if it would run elsewhere."""
    if precision.provider != "cpu":
        onnxruntime.preload_dlls()
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 3
    if precision.provider == "cpu":
        settings.intra_op_num_threads = 1
    providers = [(precision.execution_provider, dict(precision.options))]
    session = onnxruntime.InferenceSession(str(model), settings, providers=providers)
    if session.get_providers()[0] != precision.execution_provider:
        raise RuntimeError(f"expected {precision.execution_provider}; found {session.get_providers()[0]}")
    return session


def median_ms(session: onnxruntime.InferenceSession, blob: np.ndarray, rounds: int) -> float:
    """Return the median time of a run from host memory to host memory, after two that tune kernels."""
    name = session.get_inputs()[0].name
    times_ms = []
    for _ in range(rounds + 2):
        started = time.perf_counter()
        session.run(None, {name: blob})
        times_ms.append(1000 * (time.perf_counter() - started))
    return statistics.median(times_ms[2:])


def page(measured: list[Figures], rungs: list[Rung], batches: list[int]) -> str:
    """Return both tables."""
    rows = [
        [
            *(figures.provider, figures.precision),
            *(f"{figures.faces_per_second[batch]:.0f}" for batch in batches),
            *(f"{figures.detect_p50_ms:.1f}", f"{figures.analyze_p50_ms:.1f}", f"{figures.cosine_to_first:.5f}"),
        ]
        for figures in measured
    ]
    heads = [f"faces/s, batch {batch}" for batch in batches]
    parts = [table(["provider", "", *heads, "detect p50 ms", "whole picture p50 ms", "cosine to the first"], rows)]
    if rungs:
        served = [
            [rung.name, *(f"{load.per_second:.1f} / {load.p50_ms:.1f} / {load.p99_ms:.1f}" for load in rung.loads)]
            for rung in rungs
        ]
        heads = [f"{load.concurrency} clients" for load in rungs[0].loads]
        parts.append(table(["answers/s / p50 / p99 ms", *heads], served))
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
