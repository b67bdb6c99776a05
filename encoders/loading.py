"""Makes an encoder from its name."""

from pathlib import Path

from encoders.images.decoding import ImageLimits
from encoders.packs.opencv import find_or_make
from encoders.types import Encoder


def load_encoder(
    name: str,
    models_dir: Path,
    provider: str = "cpu",
    threads: int = 1,
    limits: ImageLimits | None = None,
    detection_input: tuple[int, int] | None = None,
    detection_threshold: float = 0.5,
    nms_threshold: float = 0.4,
    engine_cache: Path | None = None,
) -> Encoder:
    """Return the encoder of the model pack `name` in `models_dir`, warm; the pack `opencv` is made if it is not there.

    Raises PackError when the pack is missing or unusable and ProviderUnavailable when the models would not run on
    `provider`.
    """
    pack = find_or_make(models_dir, name)
    from encoders.pack_encoder import InsightFacePackEncoder  # 2 s of imports that a missing pack need not wait for

    return InsightFacePackEncoder(
        pack,
        provider=provider,
        threads=threads,
        limits=limits,
        detection_input=detection_input,
        detection_threshold=detection_threshold,
        nms_threshold=nms_threshold,
        engine_cache=engine_cache,
    )
