"""The HTTP contract: bodies that go out.

Names follow InsightFace Server 0.2, so that its Python client works against this service.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from deployments.http.schemas import FaceSelection
from encoders.types import Rotation
from store.types import EmbeddingSource


class _Response(BaseModel):
    request_id: str


class PixelBox(BaseModel):
    x: int
    y: int
    width: int
    height: int


class NormalizedBox(BaseModel):
    left: float
    top: float
    width: float
    height: float


class BoundingBox(BaseModel):
    """Where a face is in the image as it was sent, its EXIF orientation applied, cut to the image's edges."""

    pixels: PixelBox
    normalized: NormalizedBox


class FaceQuality(BaseModel):
    """How usable a face is; every figure in [0, 1]."""

    score: float
    sharpness: float
    brightness: float
    pose: float


class FaceObservation(BaseModel):
    """A face seen in an image. `rotation`: degrees clockwise by which the image must be turned for it to be upright."""

    bbox: BoundingBox
    landmarks: list[list[float]]
    detection_score: float
    quality: FaceQuality
    rotation: Rotation


class EmbeddedFace(FaceObservation):
    """A face seen in an image, with its L2-normalised embedding of 512 numbers."""

    embedding: list[float]


class ModelComponent(BaseModel):
    model_id: str
    model_version: str
    task: str
    sha256: str
    file: str | None = None
    input_size: list[int] | None = None
    embedding_dimension: int | None = None
    preprocessing_version: str | None = None


class ModelLicense(BaseModel):
    """Under which terms the models may be used."""

    text: str
    commercial_use: bool


class ModelSummary(BaseModel):
    """The models that run, and the contract that their embeddings follow."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str
    model_version: str
    model_digest: str
    embedding_dimension: int
    embedding_contract_id: str
    preprocessing_version: str
    provider: str
    models: list[ModelComponent]
    license: ModelLicense


class DetectionProfile(BaseModel):
    input_sizes: list[list[int]]
    threshold: float
    nms_threshold: float
    single_face_selection: FaceSelection


class Collection(BaseModel):
    """A collection. `index_state`: `exact` scans, `ready` uses the HNSW index, `building` scans meanwhile."""

    model_config = ConfigDict(protected_namespaces=())

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
    metadata: dict[str, Any]
    person_count: int
    face_count: int
    created_at: str
    updated_at: str
    detection: DetectionProfile
    detection_revision: int


class Person(BaseModel):
    id: str
    name: str | None
    external_id: str | None
    metadata: dict[str, Any]
    face_count: int
    created_at: str
    updated_at: str


class FaceSample(BaseModel):
    """An enrolled face. Its crop is upright, also where the image had to be turned by `rotation` degrees clockwise."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    person_id: str
    bounding_box: BoundingBox
    landmarks: list[list[float]] | None
    detection_score: float
    quality: FaceQuality
    rotation: Rotation
    model_id: str
    model_version: str
    model_digest: str
    preprocessing_version: str
    embedding_source: EmbeddingSource
    embedding_contract_id: str
    has_crop: bool
    created_at: str


class Match(BaseModel):
    """A person whose best face is near the one searched for. `similarity` is the cosine, -1 to 1."""

    person: Person
    similarity: float
    matched_face_id: str


class RejectedImage(BaseModel):
    """An image that an enrolment did not take, and why."""

    model_config = ConfigDict(extra="allow")

    index: int
    filename: str
    reason: str


class IdentifiedFace(BaseModel):
    """A face of a group photo and who it is.

    `match`: at or above the threshold and clear of the runner-up. `uncertain`: close below the threshold, or too close
    to the runner-up. `no_match`: nobody. `margin` is the best similarity minus the runner-up's.
    """

    face: FaceObservation
    decision: Literal["match", "uncertain", "no_match"]
    person: Person | None
    similarity: float | None
    candidates: list[Match]
    runner_up: Match | None
    margin: float | None


class DetectResponse(_Response):
    faces: list[FaceObservation]
    processing_ms: float


class CompareResponse(_Response):
    matched: bool
    similarity: float
    threshold: float
    source_face: FaceObservation
    target_face: FaceObservation
    processing_ms: float


class EmbeddingsResponse(_Response):
    faces: list[EmbeddedFace]
    model: ModelSummary
    processing_ms: float


class CollectionResponse(_Response):
    collection: Collection


class CollectionPageResponse(_Response):
    collections: list[Collection]
    next_cursor: str | None


class PersonResponse(_Response):
    person: Person


class PersonPageResponse(_Response):
    persons: list[Person]
    next_cursor: str | None


class PersonRegistrationResponse(_Response):
    person: Person
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]


class FaceRegistrationResponse(_Response):
    faces: list[FaceSample]
    rejected_images: list[RejectedImage]


class FaceResponse(_Response):
    face: FaceSample


class FacePageResponse(_Response):
    faces: list[FaceSample]
    next_cursor: str | None


class DeletedResponse(_Response):
    deleted: int


class SearchResponse(_Response):
    """`searched_face` is null when the search was by an embedding or an enrolled face."""

    searched_face: FaceObservation | None
    matches: list[Match]
    threshold: float
    processing_ms: float


class IdentifyResponse(_Response):
    faces: list[IdentifiedFace]
    threshold: float
    processing_ms: float


class VerifyResponse(_Response):
    verified: bool
    similarity: float | None
    threshold: float
    person: Person
    matched_face_id: str | None
    face: FaceObservation
    processing_ms: float


class HealthResponse(_Response):
    """Whether requests can be served right now, and which part cannot if not."""

    status: Literal["ready", "not_ready"]
    version: str
    auth_enabled: bool
    components: dict[str, Literal["ready", "unavailable"]]


class ModelsResponse(_Response):
    models: list[ModelComponent]
    execution_provider: str
    license: ModelLicense
    embedding_contract_id: str
    default_threshold: float


class SystemResponse(_Response):
    """What runs, on what, with which limits. `stats` counts what the token's tenant has stored."""

    server_version: str
    os: str
    architecture: str
    cpu: dict[str, Any]
    runtime: dict[str, Any]
    execution_provider: str
    model: ModelSummary
    database: dict[str, Any]
    data: dict[str, Any]
    models: dict[str, Any]
    stats: dict[str, int]
    search: dict[str, Any]
    api_key: dict[str, bool]
    safe_config: dict[str, Any]
    recent_errors: list[dict[str, Any]]


class ErrorBody(BaseModel):
    """What went wrong: a stable code for programs, a sentence for people, and facts."""

    code: str
    message: str
    details: dict[str, Any]


class ErrorEnvelope(_Response):
    error: ErrorBody
