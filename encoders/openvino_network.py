"""A model on OpenVINO: on processors with AMX several times as fast as on ONNX Runtime, with the same answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from encoders.errors import PackCorrupt, ProviderUnavailable
from encoders.networks import Array, InputSize, Picture, Scaling

# What the plugin compiles for a new size of picture it keeps, 11 to 25 MB for each of SCRFD-10GF. This many operators
# are some ten sizes; without a bound 64 sizes took 1.9 GB.
KEPT_OPERATORS = 500


class OpenVinoNetwork:
    """An ONNX model compiled by OpenVINO for this processor.

    It computes in bfloat16 where the processor does, else in float32; int8 where the model says so.
    """

    def __init__(self, model: Path, pack: str, scaling: Scaling, threads: int, batch_sizes: tuple[int, ...]) -> None:
        """`batch_sizes`: those that `run` will be given; each holds the weights once more.

        Raises ProviderUnavailable without OpenVINO or on a processor that it does not know, and PackCorrupt when it
        cannot load the file.
        """
        core = _core()
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # every replica would pin itself to the same cores
            "INFERENCE_PRECISION_HINT": "bf16" if "BF16" in _capabilities(core) else "f32",
            "CPU_RUNTIME_CACHE_CAPACITY": KEPT_OPERATORS,
        }
        try:
            batch, _, height, width = core.read_model(model).input(0).partial_shape
            self._takes_batches = bool(batch.is_dynamic)
            fixed = not (height.is_dynamic or width.is_dynamic)
            self._input_size = (width.get_length(), height.get_length()) if fixed else None
            self._requests = {
                size: core.compile_model(
                    _prepared(core.read_model(model), scaling, size, self._input_size), "CPU", config
                ).create_infer_request()
                for size in (batch_sizes if self._takes_batches else (1,))
            }
        except RuntimeError as exc:
            raise PackCorrupt(pack, f"OpenVINO cannot load {model.name}.") from exc

    @property
    def input_size(self) -> InputSize | None:
        return self._input_size

    @property
    def takes_batches(self) -> bool:
        return self._takes_batches

    def run(self, pictures: Sequence[Picture]) -> list[Array]:
        request = self._requests[len(pictures)]
        answers = request.infer([np.stack(pictures)])
        return [np.array(answers[index]) for index in range(len(answers))]


def computes_bfloat16() -> bool:
    """Return whether OpenVINO is installed and this processor multiplies bfloat16, with AMX or AVX-512."""
    try:
        return "BF16" in _capabilities(_core())
    except ProviderUnavailable:
        return False


def _core() -> Any:
    try:
        import openvino
    except ImportError:
        raise ProviderUnavailable("OpenVINO, which is not installed", ("ONNX Runtime",)) from None
    core = openvino.Core()
    if "CPU" not in core.available_devices:
        raise ProviderUnavailable("OpenVINO's CPU plugin", tuple(core.available_devices))
    return core


def _capabilities(core: Any) -> list[str]:
    return list(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))


def _prepared(model: Any, scaling: Scaling, batch_size: int, input_size: InputSize | None) -> Any:
    """Return `model` for `batch_size` uint8 pictures, BGR; it scales them itself, in less than a copy takes."""
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    width, height = input_size or (-1, -1)
    model.reshape(openvino.PartialShape([batch_size, 3, height, width]))
    steps = PrePostProcessor(model)
    picture = steps.input().tensor()
    picture.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    scaled = steps.input().preprocess().convert_element_type(openvino.Type.f32).convert_color(ColorFormat.RGB)
    scaled.mean(scaling.mean).scale(scaling.deviation)
    return steps.build()
