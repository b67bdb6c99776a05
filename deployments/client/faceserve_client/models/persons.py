"""Persons and their enrolled faces."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from faceserve_client.models.base import Answer, Points, Shape
from faceserve_client.models.faces import BoundingBox, FaceQuality


class Person(Shape):
    """A person of a collection."""

    id: str
    name: str | None
    external_id: str | None
    metadata: Mapping[str, Any]
    face_count: int
    created_at: datetime
    updated_at: datetime


class FaceSample(Shape):
    """An enrolled face. `source_sha256`: of the image file that it was enrolled from, in hex."""

    id: str
    person_id: str
    bounding_box: BoundingBox
    landmarks: Points | None
    detection_score: float
    quality: FaceQuality
    rotation: int
    model_id: str
    model_version: str
    model_digest: str
    preprocessing_version: str
    embedding_source: str
    embedding_contract_id: str
    has_crop: bool
    source_sha256: str | None
    created_at: datetime


class RejectedImage(Shape):
    """An image that an enrolment did not take, and why. What led to it is kept beside, by name."""

    index: int
    filename: str
    reason: str


class PersonResponse(Answer):
    person: Person


class PersonPageResponse(Answer):
    persons: list[Person]
    next_cursor: str | None


class PersonRegistrationResponse(Answer):
    person: Person
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]


class FaceRegistrationResponse(Answer):
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]


class FaceResponse(Answer):
    face: FaceSample


class FacePageResponse(Answer):
    faces: list[FaceSample]
    next_cursor: str | None


class DeletedResponse(Answer):
    deleted: int
