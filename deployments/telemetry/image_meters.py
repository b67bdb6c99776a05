"""What is measured of each image in the embedder."""

from deployments.telemetry.metrics import EMBEDDER_QUEUE, FACES_PER_IMAGE, RECOGNITION_BATCH, STAGE_SECONDS, Meters
from encoders.types import Analysis


def record_waiting(meters: Meters, images: int) -> None:
    """Tell how many images wait for the one that runs."""
    meters.record(EMBEDDER_QUEUE, max(0, images))


def record_image(meters: Meters, analysis: Analysis, *, waited_s: float, took_s: float) -> None:
    """Tell how long an image waited and took, stage by stage, and how many faces are in it."""
    for stage, seconds in (
        ("queue", waited_s),
        ("decode", analysis.decode_ms / 1e3),
        ("detect", analysis.detect_ms / 1e3),
        ("embed", analysis.embed_ms / 1e3),
        ("analyze", took_s),
    ):
        meters.record(STAGE_SECONDS, seconds, stage)
    meters.record(FACES_PER_IMAGE, analysis.faces_found)


def record_batch(meters: Meters, faces: int) -> None:
    """Tell how many faces the recogniser got in one call."""
    if faces:
        meters.record(RECOGNITION_BATCH, faces)
