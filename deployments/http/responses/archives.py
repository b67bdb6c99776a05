"""A collection as an archive: faces with all that is kept of them."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from deployments.http.responses.base import Answer, Shape
from store import types as store


class ArchivedFace(Shape):
    """A face as `POST .../archive` takes it. `embedding`: 512 float32 numbers, little-endian, in base64."""

    id: str
    person_id: str
    box: list[float]
    image_width: int
    image_height: int
    landmarks: list[list[float]] | None
    detection_score: float
    quality: Mapping[str, float]
    source: store.EmbeddingSource
    source_sha256: str | None
    created_at: datetime
    embedding: str
    crop: str | None

    @classmethod
    def of(cls, face: store.ArchivedFace) -> Self:
        """Return a face, no number rounded."""
        record = face.record
        return cls(
            id=record.id,
            person_id=record.person_id,
            box=list(record.box),
            image_width=record.image_width,
            image_height=record.image_height,
            landmarks=None if record.landmarks is None else [list(point) for point in record.landmarks],
            detection_score=record.detection_score,
            quality=record.quality,
            source=record.source,
            source_sha256=record.source_sha256,
            created_at=record.created_at,
            embedding=base64.b64encode(face.embedding.astype("<f4").tobytes()).decode(),
            crop=None if face.crop is None else base64.b64encode(face.crop).decode(),
        )


class ArchivePageResponse(Answer):
    embedding_contract_id: str
    faces: list[ArchivedFace]
    next_cursor: str | None

    @classmethod
    def of(cls, contract_id: str, faces: Sequence[store.ArchivedFace], next_cursor: str | None) -> Self:
        """Return one page of an archive."""
        return cls(embedding_contract_id=contract_id, faces=list(map(ArchivedFace.of, faces)), next_cursor=next_cursor)


class RestoreResponse(Answer):
    """`present`: faces that were there. `skipped`: faces without their person, persons whose external id is taken."""

    persons: int
    faces: int
    present: int
    skipped: int

    @classmethod
    def of(cls, counts: store.RestoreCounts) -> Self:
        """Return what was written."""
        return cls(persons=counts.persons, faces=counts.faces, present=counts.present, skipped=counts.skipped)
