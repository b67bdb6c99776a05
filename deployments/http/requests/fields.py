"""Fields that several bodies have, and what all bodies share.

Names follow InsightFace Server 0.2, so that its Python client works against this service.
"""

import json
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from configs.settings import check_detector_input
from deployments.http.access.tokens import NAME, NAME_IN_WORDS
from deployments.http.bodies import strict_json
from store.tables.values import ESCAPED_NUL, is_storable

MAX_METADATA_BYTES = 16 * 2**10


def _name(value: str) -> str:
    if NAME.fullmatch(value) is None:
        raise ValueError(f"expected {NAME_IN_WORDS}")
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


def parsed(value: Any) -> Any:
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
Share = Annotated[float, Field(ge=1e-9, lt=1.0)]  # no gallery tells rarer events: a billion persons at most
Similarity = Annotated[float, Field(ge=0.0, le=1.0)]
Candidates = Annotated[int, Field(ge=1, le=100)]  # persons that are named for one face, at most
DetectorSizes = Annotated[
    list[tuple[int, int]], AfterValidator(_detector_sizes), Field(json_schema_extra={"minItems": 1, "maxItems": 4})
]
LoadPolicy = Literal["eager", "lazy"]


# Written, not enforced: pydantic's own `deprecated` warns whoever reads the field, which is the route that refuses it.
DEPRECATED: dict[str, JsonValue] = {"deprecated": True}


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


def _without_null(schema: dict[str, Any], model: type[BaseModel]) -> None:
    """Describe fields that may be left out, but not be null, without null."""
    for name, field in schema["properties"].items():
        if name not in model.NULLABLE:  # type: ignore[attr-defined]
            (kind,) = [each for each in field.pop("anyOf") if each != {"type": "null"}]
            field.pop("default")
            field.update(kind)


class Patch(Body):
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
