"""Embeds aligned faces with ArcFace: InsightFace's own class, on our session, in batches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from encoders.errors import EncoderBroken


class ArcFaceRecogniser:
    """An ArcFace model, ready to embed."""

    def __init__(self, model_file: str, session: Any, batch_size: int) -> None:
        from insightface.model_zoo.arcface_onnx import ArcFaceONNX

        self._arcface = ArcFaceONNX(model_file=model_file, session=session)
        takes_batches = not isinstance(session.get_inputs()[0].shape[0], int)
        self._batch_size = batch_size if takes_batches else 1

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        """Return one L2-normalised float32 (512,) for each aligned BGR crop.

        Raises EncoderBroken when the model gives a vector without a direction: no picture makes a sound model do that.
        """
        embeddings: list[npt.NDArray[np.float32]] = []
        for start in range(0, len(crops), self._batch_size):
            batch = self._arcface.get_feat(list(crops[start : start + self._batch_size]))  # (n, 512)
            embeddings.extend(_normalise(row) for row in batch)
        return embeddings


def _normalise(embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norm = float(np.linalg.norm(embedding.astype(np.float64)))
    if not np.isfinite(norm) or norm < 1e-6:
        raise EncoderBroken
    return np.array(embedding / norm, np.float32)  # a copy: a view would keep the batch alive
