"""Persons and their enrolled faces."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import ConfigDict

from deployments.decisions.enroll import Enrolled
from deployments.decisions.review import Rejection
from deployments.http.responses.base import Answer, Points, Shape, Timestamp, Unit, points
from deployments.http.responses.faces import BoundingBox, FaceQuality
from encoders.types import Box, Rotation
from store import types as store


class Person(Shape):
    """A person of a collection."""

    id: str
    name: str | None
    external_id: str | None
    metadata: dict[str, Any]
    face_count: int
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, person: store.Person) -> Self:
        """Return a person of the store."""
        return cls.model_validate(person)


class FaceSample(Shape):
    """An enrolled face. Its crop is upright, also where the image had to be turned by `rotation` degrees clockwise.

    `source_sha256`: of the image file that was enrolled, in hex; null for faces from before it was kept.
    """

    id: str
    person_id: str
    bounding_box: BoundingBox
    landmarks: Points | None
    detection_score: Unit
    quality: FaceQuality
    rotation: Rotation
    model_id: str
    model_version: str
    model_digest: str
    preprocessing_version: str
    embedding_source: store.EmbeddingSource
    embedding_contract_id: str
    has_crop: bool
    source_sha256: str | None
    created_at: Timestamp

    @classmethod
    def of(cls, face: store.FaceRecord) -> Self:
        """Return a face of the store."""
        contract = face.contract
        quality = {name: face.quality.get(name, 0.0) for name in FaceQuality.model_fields}
        return cls.model_validate(
            {
                "id": face.id,
                "person_id": face.person_id,
                "bounding_box": BoundingBox.of(Box(*face.box), face.image_width, face.image_height),
                "landmarks": None if face.landmarks is None else points(face.landmarks),
                "detection_score": face.detection_score,
                "quality": quality,
                "rotation": int(face.quality.get("rotation", 0)),
                "model_id": contract.model_id,
                "model_version": contract.model_version,
                "model_digest": contract.model_digest,
                "preprocessing_version": contract.preprocessing_version,
                "embedding_source": face.source,
                "embedding_contract_id": contract.id,
                "has_crop": face.has_crop,
                "source_sha256": face.source_sha256,
                "created_at": face.created_at,
            }
        )


class RejectedImage(Shape):
    """An image that an enrolment did not take, and why."""

    model_config = ConfigDict(extra="allow")

    index: int
    filename: str
    reason: str

    @classmethod
    def of(cls, rejection: Rejection) -> Self:
        """Return a photo that was not taken, with the facts beside the reason."""
        return cls.model_validate(rejection.as_json())


class PersonResponse(Answer):
    person: Person

    @classmethod
    def of(cls, person: store.Person) -> Self:
        """Return one person."""
        return cls(person=Person.of(person))


class PersonPageResponse(Answer):
    persons: list[Person]
    next_cursor: str | None

    @classmethod
    def of(cls, persons: Sequence[store.Person], next_cursor: str | None) -> Self:
        """Return one page of persons."""
        return cls(persons=list(map(Person.of, persons)), next_cursor=next_cursor)


class PersonRegistrationResponse(Answer):
    person: Person
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]

    @classmethod
    def of(cls, enrolled: Enrolled[store.Enrollment]) -> Self:
        """Return a person who was enrolled."""
        return cls(
            person=Person.of(enrolled.outcome.person),
            faces=list(map(FaceSample.of, enrolled.outcome.faces)),
            rejected_images=list(map(RejectedImage.of, enrolled.rejected)),
        )


class FaceRegistrationResponse(Answer):
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]

    @classmethod
    def of(cls, enrolled: Enrolled[tuple[store.FaceRecord, ...]]) -> Self:
        """Return faces that were added to a person."""
        return cls(
            faces=list(map(FaceSample.of, enrolled.outcome)),
            rejected_images=list(map(RejectedImage.of, enrolled.rejected)),
        )


class FaceResponse(Answer):
    face: FaceSample

    @classmethod
    def of(cls, face: store.FaceRecord) -> Self:
        """Return one enrolled face."""
        return cls(face=FaceSample.of(face))


class FacePageResponse(Answer):
    faces: list[FaceSample]
    next_cursor: str | None

    @classmethod
    def of(cls, faces: Sequence[store.FaceRecord], next_cursor: str | None) -> Self:
        """Return one page of faces."""
        return cls(faces=list(map(FaceSample.of, faces)), next_cursor=next_cursor)


class DeletedResponse(Answer):
    deleted: int
