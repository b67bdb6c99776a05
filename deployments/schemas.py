"""The HTTP contract: bodies that come in, bodies that go out.

Names follow InsightFace Server 0.2, so that its Python client works against this service.
"""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from deployments import strict_json
from deployments.auth import NAME

MAX_METADATA_BYTES = 16 * 2**10
NUL_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # not the text of a backslash and "u0000"
DETECTOR_STEP = 32  # SCRFD's coarsest stride
MAX_DETECTOR_SIDE = 1280  # four times the work of 640; larger inputs find no more faces of use


def _name(value: str) -> str:
    if NAME.fullmatch(value) is None:
        raise ValueError("expected 1 to 64 letters, digits, dots, underscores or hyphens, the first a letter or digit")
    return value


def _collection_name(value: str) -> str:
    return value if value == "_default" else _name(value)


def _text(value: str) -> str:
    if re.search(r"[\x00\ud800-\udfff]", value):
        raise ValueError("expected text without NUL and unpaired surrogates")
    return value


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(text.encode())
    except ValueError as error:
        raise ValueError("expected a JSON object") from error
    if size > MAX_METADATA_BYTES:
        raise ValueError(f"expected at most {MAX_METADATA_BYTES} bytes of JSON, found {size}")
    if NUL_ESCAPE.search(text):
        raise ValueError("expected text without NUL")
    return value


def _detector_sizes(value: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not 1 <= len(value) <= 4:
        raise ValueError(f"expected 1 to 4 sizes, found {len(value)}")
    for side in (side for size in value for side in size):
        if side % DETECTOR_STEP or not 64 <= side <= MAX_DETECTOR_SIDE:
            raise ValueError(f"expected multiples of {DETECTOR_STEP} from 64 to {MAX_DETECTOR_SIDE}, found {side}")
    return value


def _parsed(value: Any) -> Any:
    """Form fields carry JSON as text."""
    return strict_json.load(value) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
CollectionName = Annotated[str, AfterValidator(_collection_name)]
Text = Annotated[str, AfterValidator(_text)]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Similarity = Annotated[float, Field(ge=0.0, le=1.0)]
DetectorSizes = Annotated[list[tuple[int, int]], AfterValidator(_detector_sizes)]
FaceSelection = Literal["largest", "center_largest"]
ReviewMode = Literal["off", "standard", "strict"]
EmbeddingMode = Literal["server", "external_trusted"]
LoadPolicy = Literal["eager", "lazy"]


# Written, not enforced: pydantic's own `deprecated` warns whoever reads the field, which is the route that refuses it.
DEPRECATED: dict[str, JsonValue] = {"deprecated": True}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class _Patch(_Request):
    """A change of some fields. A field that is left out stays; null is refused unless the field may be null."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("expected at least one field to change")
        return self

    def _refuse_null(self, *nullable: str) -> Self:
        for name in self.model_fields_set.difference(nullable):
            if getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null")
        return self


class CollectionDetection(_Request):
    """How faces are looked for in the photos of a collection; what is left out is the deployment's default."""

    input_sizes: DetectorSizes | None = None
    threshold: Similarity | None = None
    nms_threshold: Similarity | None = None
    single_face_selection: FaceSelection | None = None


class CollectionSearch(_Request):
    """How much a collection may hold. `profile` is always `fp32_v1` here; `load_policy` is kept and has no effect."""

    profile: Literal["fp32_v1", "fp16_v1", "bf16_v1", "int8_x736_v1", "int8_x1000_v1"] | None = None
    capacity_rows: int | None = Field(default=None, ge=1, le=2**62)
    max_faces_per_person: int | None = Field(default=None, ge=1, le=1_000_000)
    load_policy: LoadPolicy | None = None


class CollectionCreate(_Request):
    """A new collection. `threshold`: similarity of a match, by default the model pack's."""

    id: CollectionName
    name: Text = Field(min_length=1, max_length=200)
    description: Text = Field(default="", max_length=2000)
    threshold: Similarity | None = None
    save_face_crops: bool | None = None
    metadata: Metadata = Field(default_factory=dict)
    detection: CollectionDetection = Field(default_factory=CollectionDetection)
    search: CollectionSearch = Field(default_factory=CollectionSearch)


class CollectionSearchPatch(_Request):
    """How much a collection may hold, from now on."""

    capacity_rows: int | None = Field(default=None, ge=1, le=2**62)
    max_faces_per_person: int | None = Field(default=None, ge=1, le=1_000_000)
    load_policy: LoadPolicy | None = None


class CollectionPatch(_Patch):
    """Changes of a collection."""

    name: Text | None = Field(default=None, min_length=1, max_length=200)
    description: Text | None = Field(default=None, max_length=2000)
    threshold: Similarity | None = None
    save_face_crops: bool | None = None
    metadata: Metadata | None = None
    detection: CollectionDetection | None = None
    search: CollectionSearchPatch | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        return self._refuse_null()


class PersonPatch(_Patch):
    """Changes of a person."""

    name: Text | None = Field(default=None, max_length=200)
    external_id: Text | None = Field(default=None, max_length=200)
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        return self._refuse_null("name", "external_id")


class PersonMerge(_Request):
    """The person whose faces move over, and who is gone afterwards."""

    source_person_id: str


class FaceMove(_Request):
    """The person that a face moves to."""

    person_id: str


class DetectOptions(_Request):
    """Options of `detect`."""

    max_faces: int | None = Field(default=None, ge=1, le=100)
    collection_id: str | None = None
    min_score: float | None = Field(default=None, json_schema_extra=DEPRECATED)


class CompareOptions(_Request):
    """Options of `compare`."""

    threshold: Similarity | None = None
    collection_id: str | None = None


class EmbeddingsOptions(_Request):
    """Options of `embeddings`."""

    collection_id: str | None = None
    face_selection: str | None = Field(default=None, json_schema_extra=DEPRECATED)


class SearchOptions(_Request):
    """Options of `search`: at most `limit` persons at or above `threshold`, by default the collection's."""

    limit: int = Field(default=5, ge=1, le=100)
    threshold: Similarity | None = None
    face_selection: str | None = Field(default=None, json_schema_extra=DEPRECATED)


class ProbeSearch(SearchOptions):
    """A search by what is known already: an embedding of 512 numbers, or an enrolled face."""

    embedding: list[float] | None = Field(default=None, min_length=512, max_length=512)
    face_id: str | None = None

    @model_validator(mode="after")
    def _one_probe(self) -> Self:
        if (self.embedding is None) == (self.face_id is None):
            raise ValueError("expected one of image, embedding and face_id")
        return self


class IdentifyOptions(_Request):
    """Options of `identify`: for each face at most `limit` candidates, decided at `threshold`."""

    limit: int = Field(default=5, ge=1, le=100)
    max_faces: int = Field(default=100, ge=1, le=100)
    threshold: Similarity | None = None


class VerifyOptions(_Request):
    """Options of `verify`."""

    threshold: Similarity | None = None


class FaceEnrollment(_Request):
    """How images become faces of a person."""

    review_mode: ReviewMode = "off"
    embedding_mode: EmbeddingMode = "server"
    external_embeddings: str | list[Any] | None = None
    embedding_contract_id: str | None = Field(default=None, max_length=256)


class PersonEnrollment(FaceEnrollment):
    """A new person, with the images that come with it. Without an id, one is made."""

    id: str | None = None
    name: Text | None = Field(default=None, max_length=200)
    external_id: Text | None = Field(default=None, max_length=200)
    metadata: Annotated[Metadata, BeforeValidator(_parsed)] = Field(default_factory=dict)


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
    """Where a face is in the upright image, cut to its edges."""

    pixels: PixelBox
    normalized: NormalizedBox


class FaceQuality(BaseModel):
    """How usable a face is; every figure in [0, 1]."""

    score: float
    sharpness: float
    brightness: float
    pose: float


class FaceObservation(BaseModel):
    """A face seen in an image."""

    bbox: BoundingBox
    landmarks: list[list[float]]
    detection_score: float
    quality: FaceQuality


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
    """An enrolled face."""

    model_config = ConfigDict(protected_namespaces=())

    id: str
    person_id: str
    bounding_box: BoundingBox
    landmarks: list[list[float]] | None
    detection_score: float
    quality: FaceQuality
    model_id: str
    model_version: str
    model_digest: str
    preprocessing_version: str
    embedding_source: EmbeddingMode
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
