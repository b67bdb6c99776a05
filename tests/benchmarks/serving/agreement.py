"""Whether the service and the plain baseline of the pack `opencv` give the same answers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from encoders.loading import load_encoder
from encoders.packs.catalog import OPENCV_PACK
from encoders.types import AnalyzeOptions, Box
from tests.benchmarks.serving.opencv_server import PlainEncoder

INPUT_PX = 640
SAME_BOX = 0.5  # intersection over union


def agreement(models_dir: Path, photos: Sequence[Path]) -> str:
    """Return in how many photos both find the same largest face, and how alike its embeddings are, in words."""
    ours, plain = load_encoder(OPENCV_PACK, models_dir), PlainEncoder(INPUT_PX)
    same, cosines = 0, []
    for photo in photos:
        image = photo.read_bytes()
        faces, theirs = ours.analyze(image, AnalyzeOptions("largest")).faces, plain.look(image)
        if not faces or theirs is None:
            same += not faces and theirs is None
            continue
        embedding = faces[0].embedding
        assert embedding is not None
        if overlap(faces[0].box, Box(*theirs[0])) >= SAME_BOX:
            same += 1
            cosines.append(float(embedding[: theirs[1].size] @ theirs[1]))
    return (
        f"same answers: in {same} of {len(photos)} photos the same largest face as OpenCV at {INPUT_PX}, or none; its "
        f"embeddings have a cosine of {np.mean(cosines):.3f} in the mean and {min(cosines):.3f} at least"
    )


def overlap(one: Box, other: Box) -> float:
    """Return the intersection of two boxes over their union."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    shared = max(0.0, width) * max(0.0, height)
    return shared / (one.area + other.area - shared)
