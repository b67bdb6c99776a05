"""Embeds aligned faces with ArcFace, in batches."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from encoders.errors import EncoderBroken
from encoders.packs.onnx_models import scales_its_input
from encoders.recognition.batches import batches_of
from encoders.runtimes.networks import Network, Scaling


def scaling_of(model: Path) -> Scaling:
    """Return what the recogniser in the ONNX file `model` wants of a pixel."""
    return Scaling(0.0, 1.0) if scales_its_input(model) else Scaling(127.5, 127.5)


class ArcFaceRecogniser:
    """An ArcFace model, ready to embed."""

    def __init__(self, network: Network, batch_sizes: tuple[int, ...]) -> None:
        """`batch_sizes`: how many faces the network takes at once, smallest first, beginning with 1."""
        self._network = network
        self.batch_sizes = batch_sizes if network.takes_batches else (1,)

    def embed(self, crops: Sequence[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.float32]]:
        """Return one L2-normalised float32 (512,) for each aligned BGR crop.

        Raises EncoderBroken when the model gives a vector without a direction: no picture makes a sound model do that.
        """
        embeddings: list[npt.NDArray[np.float32]] = []
        for taken, size in batches_of(len(crops), self.batch_sizes):
            batch = list(crops[len(embeddings) : len(embeddings) + taken])
            (answers,) = self._network.run(batch + [np.zeros_like(batch[0])] * (size - taken))  # (size, 512)
            embeddings.extend(_normalise(row) for row in answers[:taken])
        return embeddings


def _normalise(embedding: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    norm = float(np.linalg.norm(embedding.astype(np.float64)))
    if not np.isfinite(norm) or norm < 1e-6:
        raise EncoderBroken
    return np.array(embedding / norm, np.float32)  # a copy: a view would keep the batch alive
