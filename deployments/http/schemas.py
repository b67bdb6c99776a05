"""The HTTP contract: bodies that come in.

Names follow InsightFace Server 0.2, so that its Python client works against this service.
"""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from configs.settings import check_detector_input
from configs.tuning import MAX_FACES
from deployments.decisions.recognition import ReviewMode
from deployments.decisions.review import EnrollmentOptions
from deployments.http.access.tokens import NAME
from deployments.http.bodies import strict_json
from store.tables.values import ESCAPED_NUL, is_storable
from store.types import EMBEDDING_DIMENSION, EmbeddingSource, FaceSelection

MAX_METADATA_BYTES = 16 * 2**10


def _name(value: str) -> str:
    if NAME.fullmatch(value) is None:
        raise ValueError("expected 1 to 64 letters, digits, dots, underscores or hyphens, the first a letter or digit")
    return value


def _collection_name(value: str) -> str:
    return value if value == "_default" else _name(value)


def _text(value: str) -> str:
    if not is_storable(value):
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
    if ESCAPED_NUL.search(text):
        raise ValueError("expected text without NUL")
    return value


def _detector_sizes(value: list[tuple[int, int]]) -> list[tuple[int, int]]:
    if not 1 <= len(value) <= 4:
        raise ValueError(f"expected 1 to 4 sizes, found {len(value)}")
    return [check_detector_input(size) for size in value]


def _parsed(value: Any) -> Any:
    """Form fields carry JSON as text."""
    return strict_json.load(value) if isinstance(value, str) else value


Name = Annotated[str, AfterValidator(_name)]
CollectionName = Annotated[str, AfterValidator(_collection_name)]
Text = Annotated[str, AfterValidator(_text)]
# A form sends its empty fields, too; an empty id would be taken by the first person who has none.
ExternalId = Annotated[
    Annotated[str, AfterValidator(_text), Field(max_length=200)] | None, BeforeValidator(lambda value: value or None)
]
Metadata = Annotated[dict[str, Any], AfterValidator(_metadata)]
Share = Annotated[float, Field(gt=0.0, lt=1.0)]
Similarity = Annotated[float, Field(ge=0.0, le=1.0)]
Candidates = Annotated[int, Field(ge=1, le=100)]  # persons that are named for one face, at most
DetectorSizes = Annotated[
    list[tuple[int, int]], AfterValidator(_detector_sizes), Field(json_schema_extra={"minItems": 1, "maxItems": 4})
]
LoadPolicy = Literal["eager", "lazy"]


# Written, not enforced: pydantic's own `deprecated` warns whoever reads the field, which is the route that refuses it.
DEPRECATED: dict[str, JsonValue] = {"deprecated": True}


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _without_null(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Describe fields that may be left out, but not be null, without null."""
    for name, field in schema["properties"].items():
        if name not in model.NULLABLE:  # type: ignore[attr-defined]
            (kind,) = [each for each in field.pop("anyOf") if each != {"type": "null"}]
            field.pop("default")
            field.update(kind)


class _Patch(_Request):
    """A change of some fields. A field that is left out stays; null is refused but for those in NULLABLE."""

    model_config = ConfigDict(json_schema_extra=_without_null)
    NULLABLE: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("expected at least one field to change")
        return self

    @model_validator(mode="after")
    def _no_null(self) -> Self:
        for name in self.model_fields_set.difference(self.NULLABLE):
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


class PersonPatch(_Patch):
    """Changes of a person."""

    NULLABLE = ("name", "external_id")

    name: Text | None = Field(default=None, max_length=200)
    external_id: ExternalId = None
    metadata: Metadata | None = None


class PersonMerge(_Request):
    """The person whose faces move over, and who is gone afterwards."""

    source_person_id: str


class FaceMove(_Request):
    """The person that a face moves to."""

    person_id: str


class ImportItem(_Request):
    """A file that somebody would enrol: the sha256 of its bytes in hex, and for whom."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    person_id: str = Field(min_length=1, max_length=200)


class ImportQuestion(_Request):
    """The files of an import, up to 1,000 at a time."""

    items: list[ImportItem] = Field(min_length=1, max_length=1000)


class DetectOptions(_Request):
    """Options of `detect`."""

    max_faces: int | None = Field(default=None, ge=1, le=MAX_FACES)
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


class _Decided(_Request):
    """Options of what decides: at a `threshold`, by default the collection's, or at a rate of strangers."""

    threshold: Similarity | None = None
    max_stranger_rate: Share | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.threshold is not None and self.max_stranger_rate is not None:
            raise ValueError("expected threshold or max_stranger_rate, found both")
        return self


class SearchOptions(_Decided):
    """Options of `search`: at most `limit` persons at or above the threshold.

    `max_stranger_rate`: decides at the lowest score that so many strangers reach at most; needs a calibration.
    """

    limit: Candidates = 5
    face_selection: str | None = Field(default=None, json_schema_extra=DEPRECATED)


class ProbeSearch(SearchOptions):
    """A search by what is known already: an embedding of 512 numbers, or an enrolled face."""

    embedding: list[float] | None = Field(default=None, min_length=EMBEDDING_DIMENSION, max_length=EMBEDDING_DIMENSION)
    face_id: str | None = None

    @model_validator(mode="after")
    def _one_probe(self) -> Self:
        if (self.embedding is None) == (self.face_id is None):
            raise ValueError("expected one of image, embedding and face_id")
        return self


class IdentifyOptions(_Decided):
    """Options of `identify`: for each face at most `limit` candidates, decided at the threshold."""

    limit: Candidates = 5
    max_faces: int = Field(default=MAX_FACES, ge=1, le=MAX_FACES)


class VerifyOptions(_Decided):
    """Options of `verify`."""


class CalibrationStart(_Request):
    """A calibration on so many random persons."""

    persons: int = Field(default=5000, ge=1, le=5000)


class CalibrationStep(_Request):
    """For how long a calibration goes on in one request: short beside every time limit on its way."""

    seconds: float = Field(default=2.0, ge=0.1, le=5.0)


class CalibrationPolicy(_Request):
    """At most `max_fpir` of the searches of strangers may find somebody.

    `at`: in a gallery as large as now, as large as the collection's capacity in persons with the faces that they have
    on average, or of so many persons. `extrapolate`: whether the threshold may rest on a fitted tail. `dry_run`: tell,
    and change nothing.
    """

    max_fpir: Share
    at: Literal["present", "capacity"] | Annotated[int, Field(ge=1, le=1_000_000_000)] = "capacity"
    extrapolate: bool = False
    dry_run: bool = False


class FaceEnrollment(_Request):
    """How images become faces of a person."""

    review_mode: ReviewMode = "off"
    embedding_mode: EmbeddingSource = "server"
    external_embeddings: Annotated[list[Any] | None, BeforeValidator(_parsed)] = None
    embedding_contract_id: str | None = Field(default=None, max_length=256)

    @property
    def options(self) -> EnrollmentOptions:
        """The same as the decisions take it."""
        return EnrollmentOptions(
            review_mode=self.review_mode,
            embedding_mode=self.embedding_mode,
            external_embeddings=self.external_embeddings,
            embedding_contract_id=self.embedding_contract_id,
        )


class PersonEnrollment(FaceEnrollment):
    """A new person, with the images that come with it. Without an id, one is made."""

    id: str | None = None
    name: Text | None = Field(default=None, max_length=200)
    external_id: ExternalId = None
    metadata: Annotated[Metadata, BeforeValidator(_parsed)] = Field(default_factory=dict)
