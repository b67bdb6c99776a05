"""A part of an archive as a body."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Self

import numpy as np
import numpy.typing as npt
from pydantic import AwareDatetime, Field, model_validator

from deployments.http.requests.fields import Body, ExternalId, Metadata, Name, Text
from store.types import EmbeddingSource, NewFace, NewPerson, RestoredFace, RestoredPerson

DIMENSION = 512
Point = Annotated[list[float], Field(min_length=2, max_length=2)]
Base64 = Annotated[str, Field(max_length=2**16)]


class PersonPart(Body):
    """A person of an archive."""

    id: Name
    name: Text | None = Field(default=None, max_length=200)
    external_id: ExternalId = None
    metadata: Metadata = Field(default_factory=dict)
    created_at: AwareDatetime

    def restored(self) -> RestoredPerson:
        """Return the person as the store takes it."""
        return RestoredPerson(NewPerson(self.id, self.name, self.external_id, self.metadata), self.created_at)


class FacePart(Body):
    """A face of an archive, as `GET .../archive` gives it."""

    id: str = Field(max_length=36)
    person_id: Name
    box: Annotated[list[float], Field(min_length=4, max_length=4)]
    image_width: int = Field(ge=1, le=2**31 - 1)
    image_height: int = Field(ge=1, le=2**31 - 1)
    landmarks: Annotated[list[Point], Field(max_length=5)] | None = None
    detection_score: float
    quality: Annotated[dict[str, float], Field(max_length=16)]
    source: EmbeddingSource = "server"
    source_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    created_at: AwareDatetime
    embedding: Base64
    crop: Base64 | None = None

    @model_validator(mode="after")
    def _decodes(self) -> Self:
        if len(_decoded(self.embedding)) != DIMENSION * 4:
            raise ValueError(f"embedding: expected {DIMENSION} float32 numbers in base64")
        if self.crop is not None:
            _decoded(self.crop)
        return self

    def restored(self) -> RestoredFace:
        """Return the face as the store takes it."""
        left, top, right, bottom = self.box
        embedding: npt.NDArray[np.float32] = np.frombuffer(_decoded(self.embedding), "<f4").astype(np.float32)
        face = NewFace(
            box=(left, top, right, bottom),
            image_width=self.image_width,
            image_height=self.image_height,
            landmarks=None if self.landmarks is None else tuple((x, y) for x, y in self.landmarks),
            detection_score=self.detection_score,
            quality=self.quality,
            embedding=embedding,
            source=self.source,
            crop=None if self.crop is None else _decoded(self.crop),
            source_sha256=None if self.source_sha256 is None else bytes.fromhex(self.source_sha256),
        )
        created_at: datetime = self.created_at
        return RestoredFace(self.id, self.person_id, face, created_at)


class ArchivePart(Body):
    """Up to 100 persons and 100 faces of an archive, whose embeddings are of `embedding_contract_id`."""

    embedding_contract_id: Text = Field(max_length=256)
    persons: list[PersonPart] = Field(default_factory=list, max_length=100)
    faces: list[FacePart] = Field(default_factory=list, max_length=100)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("expected base64") from error
