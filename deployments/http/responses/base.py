"""What all bodies share: the request's id, the envelope of errors, and how numbers and times are written.

Names follow InsightFace Server 0.2, so that its Python client works against this service. Numbers are rounded to what
they mean: pixels to 1/1000, scores to 1e-6.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from deployments.http.request_id import REQUEST_ID

Points = list[list[float]]  # x and y of each, in pixels


def timestamp(moment: datetime) -> str:
    """Return `moment` as ISO 8601 in UTC, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unit(value: float) -> float:
    """Return `value` held to [0, 1] and rounded to 1e-6."""
    return round(min(1.0, max(0.0, value)), 6)


def score(value: float) -> float:
    """Return a similarity, a margin or a threshold rounded to 1e-6."""
    return round(value, 6)


def rate(value: float) -> float:
    """Return a share of searches with three digits; rare ones differ in their first."""
    return float(f"{value:.3g}")


def points(landmarks: Iterable[Iterable[float]]) -> Points:
    """Return points in pixels rounded to 1/1000."""
    return [[round(coordinate, 3) for coordinate in point] for point in landmarks]


Timestamp = Annotated[str, BeforeValidator(timestamp)]
Unit = Annotated[float, AfterValidator(unit)]
Rate = Annotated[float, AfterValidator(rate)]
Score = Annotated[float, AfterValidator(score)]


class Shape(BaseModel):
    """A part of a body. `of` builds it from the value that it shows, field by field where the names are the same."""

    model_config = ConfigDict(
        from_attributes=True, protected_namespaces=(), json_schema_serialization_defaults_required=True
    )


class Answer(Shape):
    """The body of a response. The request's id comes by itself."""

    request_id: str = Field(default_factory=lambda: REQUEST_ID.get())


class ErrorBody(Shape):
    """What went wrong: a stable code for programs, a sentence for people, and facts."""

    code: str
    message: str
    details: Mapping[str, Any]


class ErrorEnvelope(Answer):
    error: ErrorBody
