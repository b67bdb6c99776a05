"""Which runtime a provider means, and what a model on it is given to do at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from encoders.errors import ProviderUnavailable
from encoders.runtimes.networks import Network, OnnxNetwork, Scaling, Shapes
from encoders.runtimes.openvino_network import OpenVinoNetwork, gains_on_this_processor
from encoders.runtimes.sessions import open_session

SessionOpener = Callable[[Path, str, str, int, Path | None], Any]  # as open_session; the session may be wrapped


@dataclass(frozen=True, slots=True)
class Traits:
    """How a provider likes its work.

    `shapes`: which shapes the detector's inputs may have.
    `batch_sizes`: how many faces the recogniser takes at once, smallest first. `batches_pay`: whether a face costs
    less in a batch, so that it may wait for others. `looks_in_parallel`: whether several pictures may be looked at at
    once, each with a thread of the CPU that decodes it.
    """

    shapes: Shapes
    batch_sizes: tuple[int, ...]
    batches_pay: bool
    looks_in_parallel: bool


TRAITS: Mapping[str, Traits] = MappingProxyType(
    {
        # nothing gained per face; 8 bound the memory
        "cpu": Traits("any", tuple(range(1, 9)), batches_pay=False, looks_in_parallel=False),
        # ResNet-50 in int8 takes 12.4 ms for a face alone and 9.0 in a batch of 4, 8.2 of 8; in bfloat16 16.0, 10.6 and
        # 9.9. Each batch size holds the weights once more, each input shape 35 to 70 MB.
        "openvino": Traits("usual", (1, 4), batches_pay=True, looks_in_parallel=False),
        # A GPU tunes its kernels anew for every shape, and its memory grows with each.
        "cuda": Traits("whole", (1, 2, 4, 8, 16, 32), batches_pay=True, looks_in_parallel=True),
        "tensorrt": Traits("whole", (1, 2, 4, 8, 16, 32), batches_pay=True, looks_in_parallel=True),
    }
)


def traits_of(provider: str) -> Traits:
    """Return how `provider` likes its work. Raises ProviderUnavailable for one that nobody knows."""
    if provider not in TRAITS:
        raise ProviderUnavailable(provider, tuple(TRAITS))
    return TRAITS[provider]


def fastest_on_cpu() -> str:
    """Return "openvino" where it is installed and the processor has AMX, else "cpu".

    With AMX SCRFD-10GF takes 32 ms instead of 180 and ResNet-50 18 instead of 75. Without it gains a tenth at most, for
    more memory.
    """
    return "openvino" if gains_on_this_processor() else "cpu"


def open_network(
    model: Path,
    pack: str,
    scaling: Scaling,
    provider: str,
    threads: int,
    batch_sizes: tuple[int, ...] = (1,),
    engine_cache: Path | None = None,
    open_session: SessionOpener = open_session,
) -> Network:
    """Return the ONNX file `model` ready to run on `provider`, with `threads` threads for one run.

    Raises ProviderUnavailable when it would run on something else, and PackCorrupt when it cannot be loaded.
    """
    if provider == "openvino":
        return OpenVinoNetwork(model, pack, scaling, threads, batch_sizes)
    return OnnxNetwork(open_session(model, pack, provider, threads, engine_cache), scaling)
