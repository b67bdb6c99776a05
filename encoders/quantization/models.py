"""Turns one ONNX model into static int8, and records what the models of an encoder are given to look at."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from encoders.runtimes.prelu import split_prelu
from encoders.runtimes.sessions import LOG_ERRORS_ONLY, open_session

OPSET = 17  # the packs come in 11; scales per channel need 13
RECIPE = "static int8, QDQ, MinMax, per channel, activations QUInt8, weights QInt8"

Blob = npt.NDArray[np.float32]


class RecordingSession:
    """An ONNX Runtime session that keeps what it was given and its first answer, until they are taken."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._runs: list[tuple[Blob, Blob]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run(self, outputs: list[str] | None, feed: dict[str, Blob], *rest: Any) -> list[Blob]:
        answers: list[Blob] = self._session.run(outputs, feed, *rest)
        (blob,) = feed.values()
        self._runs.append((blob, answers[0]))
        return answers

    def take(self) -> list[tuple[Blob, Blob]]:
        """Return the runs since the last call: input and first output of each."""
        runs, self._runs = self._runs, []
        return runs


class Recorder:
    """Opens sessions that record, for an encoder: its detector's first, then its recogniser's."""

    def __init__(self) -> None:
        self.sessions: list[RecordingSession] = []

    def open(self, model: Path, pack: str, provider: str, threads: int, cache: Path | None = None) -> RecordingSession:
        """Return what `open_session` returns, recording."""
        self.sessions.append(RecordingSession(open_session(model, pack, provider, threads, cache)))
        return self.sessions[-1]


class BlobFiles:
    """Inputs for a calibration, kept on disk: 200 of a detector at 640x640 are 1 GB."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._paths: list[Path] = []

    def __len__(self) -> int:
        return len(self._paths)

    def append(self, blob: Blob) -> None:
        path = self._directory / f"{len(self._paths):06}.npy"
        np.save(path, blob)
        self._paths.append(path)

    def __iter__(self) -> Iterator[Blob]:
        return (np.load(path) for path in self._paths)


def quantize_model(source: Path, target: Path, inputs: BlobFiles, progress: Callable[[int], None]) -> None:
    """Write `source` to `target` in static int8, its activations' ranges being those that `inputs` reach.

    `progress` is called with the number of inputs seen. What was tried on SCRFD-500MF and a MobileFaceNet with 14
    faces to calibrate on and 12 others, mean and least cosine of the recogniser to fp32:

    | | | |
    |---|---|---|
    | MinMax, as here | 0.9919 | 0.9835 |
    | the same with mirrored, lighter and darker copies | 0.9917 | 0.9842 |
    | the same from 1, 4 and 8 faces | 0.989, 0.991, 0.992 | 0.982, 0.981, 0.980 |
    | moving average of MinMax; Entropy | 0.9907; 0.9919 | 0.9840; 0.9835 |
    | percentile 99.9, 99.99, 99.999 | 0.926, 0.991, 0.993 | 0.881, 0.983, 0.985 |
    | without the first, the last, any one other Conv | 0.9916 to 0.9920 | 0.981 to 0.984 |
    | without the depthwise ones; Conv alone | 0.927; 0.937 | 0.872; 0.900 |
    | a correction of the output's mean error | 0.9928 | 0.9854 |
    | activations in 16 bits, six times slower | 0.9977 | 0.9951 |

    MinMax it is: nothing beat it by more than the faces' number can tell, and it holds no activations in memory.
    Excluding a Conv leaves its neighbours' activations quantised without the Clip that bounds them. The detector keeps
    an overlap of 0.988 with everything in int8 and of 0.992 with head and neck in fp32, which hold much of SCRFD-10GF.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as scratch, _quiet():
        converted, prepared = Path(scratch) / "converted.onnx", Path(scratch) / "prepared.onnx"
        model = onnx.load(str(source))
        if next(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx")) < OPSET:
            model = onnx.version_converter.convert_version(model, OPSET)
        split_prelu(model)
        onnx.save(model, str(converted))
        quant_pre_process(str(converted), str(prepared), skip_symbolic_shape=True)  # symbolic inference needs sympy
        quantize_static(
            str(prepared),
            str(target),
            _reader(_input_name(model), inputs, progress),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,  # QInt8 made SCRFD-10GF 2.7 times slower
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )


def least_ms(sessions: Sequence[Any], shape: tuple[int, ...], rounds: int) -> list[float]:
    """Return the least time of each session for one input of `shape`, in rounds of one after the other.

    The input is noise: a PRelu is twice as fast on zeros, whose sign its processor foresees.
    """
    blob = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    least = [float("inf")] * len(sessions)
    for number in range(rounds + 1):
        for index, session in enumerate(sessions):
            started = time.perf_counter()
            session.run(None, {session.get_inputs()[0].name: blob})
            if number:  # the first round allocates
                least[index] = min(least[index], (time.perf_counter() - started) * 1e3)
    return least


def answers_of(model: Path, name: str, inputs: Sequence[Blob], threads: int) -> list[Blob]:
    """Return the first output of `model` for each of `inputs`."""
    session = open_session(model, name, "cpu", threads)
    input_name = session.get_inputs()[0].name
    return [session.run(None, {input_name: blob})[0] for blob in inputs]


def _input_name(model: Any) -> str:
    weights = {tensor.name for tensor in model.graph.initializer}  # old exporters list these as inputs too
    return next(str(value.name) for value in model.graph.input if value.name not in weights)


def _reader(input_name: str, inputs: BlobFiles, progress: Callable[[int], None]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._inputs = enumerate(inputs, start=1)

        def get_next(self) -> dict[str, Blob] | None:
            number, blob = next(self._inputs, (0, None))
            if blob is None:
                return None
            progress(number)
            return {input_name: blob}

    return Reader()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep ONNX Runtime from a warning per output and photo: SCRFD states its outputs for 640x640."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(LOG_ERRORS_ONLY)
    try:
        yield
    finally:
        onnxruntime.set_default_logger_severity(2)  # ONNX Runtime's own default, warnings
        logging.disable(disabled)
