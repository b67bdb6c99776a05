"""Collections."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import AliasPath, Field

from deployments.http.responses.base import Answer, Score, Shape, Timestamp
from store import types as store


class DetectionProfile(Shape):
    """How faces are looked for in the photos of a collection."""

    input_sizes: list[list[int]]
    threshold: Score
    nms_threshold: Score
    single_face_selection: store.FaceSelection


class Collection(Shape):
    """A collection. `index_state`: `exact` scans, `ready` uses the HNSW index, `building` scans meanwhile."""

    id: str
    name: str
    description: str
    default_threshold: Score = Field(validation_alias="threshold")
    model_id: str = Field(validation_alias=AliasPath("contract", "model_id"))
    model_version: str = Field(validation_alias=AliasPath("contract", "model_version"))
    model_digest: str = Field(validation_alias=AliasPath("contract", "model_digest"))
    embedding_dimension: int = Field(validation_alias=AliasPath("contract", "dimension"))
    preprocessing_version: str = Field(validation_alias=AliasPath("contract", "preprocessing_version"))
    embedding_contract_id: str = Field(validation_alias=AliasPath("contract", "id"))
    search_profile: str
    capacity_rows: int
    max_faces_per_person: int
    load_policy: str
    search_revision: int
    index_state: str
    save_face_crops: bool
    metadata: dict[str, Any]
    person_count: int
    face_count: int
    created_at: Timestamp
    updated_at: Timestamp
    detection: DetectionProfile
    detection_revision: int

    @classmethod
    def of(cls, collection: store.Collection) -> Self:
        """Return a collection of the store."""
        return cls.model_validate(collection)


class CollectionResponse(Answer):
    collection: Collection

    @classmethod
    def of(cls, collection: store.Collection) -> Self:
        """Return one collection."""
        return cls(collection=Collection.of(collection))


class CollectionPageResponse(Answer):
    collections: list[Collection]
    next_cursor: str | None

    @classmethod
    def of(cls, collections: Sequence[store.Collection], next_cursor: str | None) -> Self:
        """Return one page of collections."""
        return cls(collections=list(map(Collection.of, collections)), next_cursor=next_cursor)
