"""How such a service is usually built: FastAPI around InsightFace's FaceAnalysis, or around OpenCV's own classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from encoders.packs.catalog import OPENCV_PACK
from tests.benchmarks.serving.galleries import Gallery

Models = Literal["insightface", "opencv"]
APPLICATIONS: Mapping[Models, str] = MappingProxyType(
    {
        "insightface": "tests.benchmarks.serving.plain_server:create",
        "opencv": "tests.benchmarks.serving.opencv_server:create",
    }
)


@dataclass(frozen=True, slots=True)
class Baseline:
    """A way in which such a service is usually built. `mode`: inference on the event `loop` or in `threads`.

    `input_px`: the longer side to which OpenCV's baseline shrinks a photo before it looks for faces; 0 does not.
    """

    label: str
    mode: str
    workers: int = 1
    gallery: Gallery = "none"
    models: Models = "insightface"
    input_px: int = 0

    def environment(self, pack: Path) -> dict[str, str]:
        """Return what the application reads; `pack` is the directory of FaceAnalysis' models."""
        return {
            "BASELINE_MODELS": str(pack),
            "BASELINE_MODE": self.mode,
            "BASELINE_GALLERY": self.gallery,
            "BASELINE_INPUT_PX": str(self.input_px),
            "PYTHONWARNINGS": "ignore::FutureWarning",  # InsightFace's aligning warns of scikit-image's plans
        }


INSIGHTFACE = (
    Baseline("FastAPI, event loop, array search", "loop", gallery="array"),
    Baseline("FastAPI, event loop, pgvector", "loop", gallery="pgvector"),
    Baseline("FastAPI, event loop", "loop"),
    Baseline("FastAPI, event loop, 2 workers", "loop", 2),
    Baseline("FastAPI, event loop, 4 workers", "loop", 4),
    Baseline("FastAPI, thread pool", "threads"),
    Baseline("FastAPI, thread pool, 2 workers", "threads", 2),
    Baseline("FastAPI, thread pool, 4 workers", "threads", 4),
)
OPENCV = (
    Baseline("FastAPI with OpenCV, event loop", "loop", models="opencv"),
    Baseline("FastAPI with OpenCV, event loop, 2 workers", "loop", 2, models="opencv"),
    Baseline("FastAPI with OpenCV, thread pool", "threads", models="opencv"),
    Baseline("FastAPI with OpenCV at 640, event loop, 2 workers", "loop", 2, models="opencv", input_px=640),
    Baseline("FastAPI with OpenCV at 640, thread pool", "threads", models="opencv", input_px=640),
)


def baselines_of(pack: str) -> tuple[Baseline, ...]:
    """Return what the service with `pack` is measured beside: the usual code around the same models."""
    return OPENCV if pack == OPENCV_PACK else INSIGHTFACE
