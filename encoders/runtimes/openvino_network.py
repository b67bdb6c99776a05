"""A model on OpenVINO: on processors with AMX several times as fast as on ONNX Runtime, with the same answers."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from encoders.errors import PackCorrupt, ProviderUnavailable
from encoders.runtimes.networks import Array, InputSize, Picture, Scaling
from encoders.runtimes.processor import multiplies_bfloat16_in_tiles
from encoders.runtimes.sessions import release_unused_memory

# SCRFD-10GF takes 20 ms at 640x544 in int8 and 26 in bfloat16 with code made for that size, 26 and 31 with code for any
# size. It is made in 0.3 to 0.7 s and takes 35 to 70 MB. Usual photos come in 7 shapes, in 5 smaller ones where a first
# look finds nothing, and in 2 where it is not clear which way up they are. What collections of other detector inputs
# bring beyond that runs on the code for any size: code of its own for each, made and thrown away in turn, would cost
# more than ten runs of it.
KEPT_SIZES = 14
ANY = (-1, (-1, -1))  # pictures of any size; -1 is OpenVINO's word for a dimension that is known at each run


class OpenVinoNetwork:
    """An ONNX model compiled by OpenVINO for this processor.

    It computes in bfloat16 where the processor has AMX, else in float32; int8 where the model says so. With AVX-512 for
    bfloat16 alone, bfloat16 is slower: ResNet-50 takes 145 ms instead of 88, SCRFD-10GF 288 instead of 163.
    """

    def __init__(self, model: Path, pack: str, scaling: Scaling, threads: int, batch_sizes: tuple[int, ...]) -> None:
        """`batch_sizes`: those that `run` will be given; each holds the weights once more.

        Raises ProviderUnavailable without OpenVINO or on a processor that it does not know, and PackCorrupt when it
        cannot load the file.
        """
        self._core = core = _core()
        self._config = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # every replica would pin itself to the same cores
            "INFERENCE_PRECISION_HINT": "bf16" if multiplies_bfloat16_in_tiles() else "f32",
        }
        self._scaling = scaling
        self._corrupt = partial(PackCorrupt, pack, f"OpenVINO cannot load {model.name}.")
        try:
            self._model: Any = core.read_model(model)
            batch, _, height, width = self._model.input(0).partial_shape
        except RuntimeError as exc:
            raise self._corrupt() from exc
        self._takes_batches = bool(batch.is_dynamic)
        fixed = not (height.is_dynamic or width.is_dynamic)
        self._input_size = (width.get_length(), height.get_length()) if fixed else None
        self._requests: dict[tuple[int, InputSize], Any] = {}
        if self._input_size is not None:
            for count in batch_sizes if self._takes_batches else (1,):
                self._requests[count, self._input_size] = self._compiled(count, self._input_size)
            self._model = None  # and its weights; what is compiled has its own

    @property
    def input_size(self) -> InputSize | None:
        return self._input_size

    @property
    def takes_batches(self) -> bool:
        return self._takes_batches

    def run(self, pictures: Sequence[Picture]) -> list[Array]:
        """As in `Network`; of a model that takes any size, the first pictures of a size wait until it is compiled."""
        height, width = pictures[0].shape[:2]
        answers = self._request_for(len(pictures), (width, height)).infer([np.stack(pictures)])
        return [np.array(answers[index]) for index in range(len(answers))]

    def _request_for(self, count: int, size: InputSize) -> Any:
        key = (count, size)
        if key not in self._requests and len(self._requests) >= KEPT_SIZES:
            key = ANY
        if key not in self._requests:
            self._requests[key] = self._compiled(*key)
        return self._requests[key]

    def _compiled(self, count: int, size: InputSize) -> Any:
        try:
            prepared = _prepared(self._model.clone(), self._scaling, count, size)
            request = self._core.compile_model(prepared, "CPU", self._config).create_infer_request()
        except RuntimeError as exc:
            raise self._corrupt() from exc
        release_unused_memory()
        return request


def gains_on_this_processor() -> bool:
    """Return whether OpenVINO is installed and this processor has AMX, without which it gains a tenth at most."""
    try:
        _core()
    except ProviderUnavailable:
        return False
    return multiplies_bfloat16_in_tiles()


def _core() -> Any:
    try:
        import openvino
    except ImportError:
        raise ProviderUnavailable("OpenVINO, which is not installed", ("ONNX Runtime",)) from None
    core = openvino.Core()
    if "CPU" not in core.available_devices:
        raise ProviderUnavailable("OpenVINO's CPU plugin", tuple(core.available_devices))
    return core


def _prepared(model: Any, scaling: Scaling, count: int, input_size: InputSize) -> Any:
    """Turn `model` into one for `count` uint8 pictures, BGR, of `input_size`, or for ANY of them.

    It scales the pictures itself, in less than a copy takes.
    """
    import openvino
    from openvino.preprocess import ColorFormat, PrePostProcessor

    width, height = input_size
    model.reshape([count, 3, height, width])
    steps = PrePostProcessor(model)
    picture = steps.input().tensor()
    picture.set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC")).set_color_format(ColorFormat.BGR)
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    scaled = steps.input().preprocess().convert_element_type(openvino.Type.f32).convert_color(ColorFormat.RGB)
    scaled.mean(scaling.mean).scale(scaling.deviation)
    return steps.build()
