"""Collections."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from faceserve_client.models.base import Answer, Shape


class DetectionProfile(Shape):
    """How faces are looked for in the photos of a collection."""

    input_sizes: list[tuple[int, int]]
    threshold: float
    nms_threshold: float
    single_face_selection: str


class Collection(Shape):
    """A collection with its counts."""

    id: str
    name: str
    description: str
    default_threshold: float
    model_id: str
    model_version: str
    model_digest: str
    embedding_dimension: int
    preprocessing_version: str
    embedding_contract_id: str
    search_profile: str
    capacity_rows: int
    max_faces_per_person: int
    load_policy: str
    search_revision: int
    index_state: str
    save_face_crops: bool
    metadata: Mapping[str, Any]
    person_count: int
    face_count: int
    created_at: datetime
    updated_at: datetime
    detection: DetectionProfile
    detection_revision: int


class CollectionResponse(Answer):
    collection: Collection


class CollectionPageResponse(Answer):
    collections: list[Collection]
    next_cursor: str | None
