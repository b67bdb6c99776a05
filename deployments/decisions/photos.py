"""Photos as the decisions take them, and the one face that is selected in a photo."""

import asyncio
import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deployments.decisions.errors import NoFaceFound
from deployments.decisions.recognition import single_face_options
from deployments.ports import EmbedderPort, EmbedderResult
from encoders.types import Analysis, Face, ModelDescription
from store.types import DetectionProfile

HASHED_HERE_BYTES = 2**20  # sha256 takes 0.6 ms for it; a thread, which can run meanwhile, costs 0.1 ms


@dataclass(frozen=True, slots=True)
class Photo:
    """A compressed picture, and what its sender calls it."""

    filename: str
    content: bytes

    async def sha256(self) -> bytes:
        """Return the digest of the file, 32 bytes; of a large one without blocking the loop."""
        if len(self.content) > HASHED_HERE_BYTES:
            return await asyncio.to_thread(self._sha256)
        return self._sha256()

    def _sha256(self) -> bytes:
        return hashlib.sha256(self.content).digest()


@dataclass(frozen=True, eq=False, slots=True)
class SelectedFace:
    """The face that was selected in a photo. `embedding`: float32 (512,), L2-normalised."""

    face: Face
    embedding: npt.NDArray[np.float32]
    analysis: Analysis
    model: ModelDescription

    @property
    def contract_id(self) -> str:
        """The contract that the embedding follows."""
        return self.model.contract.id


async def select_face(
    embedder: EmbedderPort, photo: bytes, detection: DetectionProfile | None, name: str = "image"
) -> SelectedFace:
    """Return the face that `detection` selects in `photo`. `name`: of the photo, for the error.

    Raises NoFaceFound, ImageError, Overloaded or Unavailable.
    """
    return selected(await embedder.analyze(photo, single_face_options(detection)), name)


def selected(result: EmbedderResult, name: str = "image") -> SelectedFace:
    """Return the face that was selected. Raises NoFaceFound."""
    if not result.analysis.faces:
        raise NoFaceFound(name)
    face = result.analysis.faces[0]
    assert face.embedding is not None, "the options of a single face ask for its embedding"
    return SelectedFace(face, face.embedding, result.analysis, result.model)
