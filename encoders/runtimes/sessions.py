"""Opens ONNX Runtime sessions that run where, and on as many threads as, they were told to."""

import ctypes
import functools
import gc
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

# The Linux wheels of ONNX Runtime from 1.29 on upload telemetry unless this is set when the native library starts, so
# it comes before the import. It is the one piece of work at import in this package; insightface does the same.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

from encoders.errors import PackCorrupt, ProviderUnavailable
from encoders.runtimes.prelu import without_prelu

# After the first, what runs the operators that it does not know.
PROVIDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("CPUExecutionProvider",),
        "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
        "tensorrt": ("TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"),
    }
)

LOG_ERRORS_ONLY = 3  # SCRFD's graph states its outputs for 640x640, and ORT warns at every run of another size


def open_session(
    model: Path, pack: str, provider: str, threads: int, engine_cache: Path | None = None
) -> onnxruntime.InferenceSession:
    """Return a session for the ONNX file `model` on `provider`, with `threads` threads for one run.

    `engine_cache`: where TensorRT keeps the engines that take minutes to build. Raises ProviderUnavailable when ONNX
    Runtime would silently run on something else, and PackCorrupt when it cannot load the file.
    """
    wanted = PROVIDERS.get(provider)
    if wanted is None:
        raise ProviderUnavailable(provider, tuple(PROVIDERS))
    available = onnxruntime.get_available_providers()
    if wanted[0] not in available:
        raise ProviderUnavailable(wanted[0], tuple(available))
    if provider != "cpu" and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()  # CUDA and cuDNN from their wheels, which the loader's own search does not cover
    _share_memory()
    try:
        session = onnxruntime.InferenceSession(
            (without_prelu(model) if provider == "cpu" else None) or str(model),
            sess_options=_session_options(threads),
            providers=[(name, _provider_options(name, engine_cache)) for name in wanted if name in available],
        )
    except Exception as exc:  # ONNX Runtime's exceptions share no base; most derive from Exception directly
        raise PackCorrupt(pack, f"ONNX Runtime cannot load {model.name}.") from exc
    session._model_bytes = None  # kept for a fallback that is not ours; 174 MB for a ResNet-50
    if session.get_providers()[0] != wanted[0]:
        raise ProviderUnavailable(wanted[0], tuple(session.get_providers()))
    return session


def release_unused_memory() -> None:
    """Give memory that was freed back to the system.

    Loading a model leaves its weights twice in the allocator's free lists: trimming takes a process with SCRFD-10GF and
    ResNet-50 from 438 MB to 244. Does nothing where the C library is not glibc.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


@functools.cache
def _share_memory() -> None:
    """Give all sessions of the process one arena on the CPU that grows by what is asked for, instead of by doubling.

    The recogniser works in what the detector leaves: 24 MB less for SCRFD-10GF and ResNet-50, 9 in int8, as fast.
    """
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu", onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, onnxruntime.OrtMemType.DEFAULT
    )
    left_to_runtime = -1
    arena = onnxruntime.OrtArenaCfg(
        {
            "max_mem": 0,
            "arena_extend_strategy": 1,  # kSameAsRequested
            "initial_chunk_size_bytes": left_to_runtime,
            "max_dead_bytes_per_chunk": left_to_runtime,
        }
    )
    onnxruntime.create_and_register_allocator(memory, arena)


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    # The default is every core of the host, whatever the cgroup allows, for each session anew.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Idle threads that spin take the cores from the other session and from the neighbours.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # Plans of memory for each shape of input save no time here and hold 36 MB of SCRFD-10GF and ResNet-50, 17 in int8.
    options.enable_mem_pattern = False
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = LOG_ERRORS_ONLY
    return options


def _provider_options(provider: str, engine_cache: Path | None) -> dict[str, Any]:
    if provider == "CUDAExecutionProvider":
        # Growing to the next power of two would keep a second replica off a shared GPU.
        return {"arena_extend_strategy": "kSameAsRequested", "cudnn_conv_algo_search": "HEURISTIC"}
    if provider == "TensorrtExecutionProvider":
        options: dict[str, Any] = {"trt_fp16_enable": True}
        if engine_cache is not None:
            options |= {"trt_engine_cache_enable": True, "trt_engine_cache_path": str(engine_cache)}
        return options
    return {}
