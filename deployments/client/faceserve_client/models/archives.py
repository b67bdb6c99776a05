"""A collection as an archive: faces with all that is kept of them."""

from collections.abc import Mapping
from datetime import datetime

from faceserve_client.models.base import Answer, Shape


class ArchivedFace(Shape):
    """A face of an archive. `embedding`: 512 float32 numbers, little-endian, in base64; `crop`: a JPEG in base64."""

    id: str
    person_id: str
    box: list[float]
    image_width: int
    image_height: int
    landmarks: list[list[float]] | None
    detection_score: float
    quality: Mapping[str, float]
    source: str
    source_sha256: str | None
    created_at: datetime
    embedding: str
    crop: str | None


class ArchivePageResponse(Answer):
    embedding_contract_id: str
    faces: list[ArchivedFace]
    next_cursor: str | None


class RestoreResponse(Answer):
    """`present`: faces that were there. `skipped`: faces without their person, persons whose external id is taken."""

    persons: int
    faces: int
    present: int
    skipped: int
