"""Photos that are not stored: detect, compare, embeddings."""

from pydantic import Field

from configs.tuning import MAX_FACES
from deployments.http.requests.fields import DEPRECATED, Body, Similarity


class DetectOptions(Body):
    """Options of `detect`."""

    max_faces: int | None = Field(default=None, ge=1, le=MAX_FACES)
    collection_id: str | None = None
    min_score: float | None = Field(default=None, json_schema_extra=DEPRECATED)


class CompareOptions(Body):
    """Options of `compare`."""

    threshold: Similarity | None = None
    collection_id: str | None = None


class EmbeddingsOptions(Body):
    """Options of `embeddings`."""

    collection_id: str | None = None
    face_selection: str | None = Field(default=None, json_schema_extra=DEPRECATED)
