"""JSON objects as bodies: bounded before they are parsed, and again before they are validated."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from deployments import bounds
from deployments.http.bodies import strict_json
from deployments.http.bodies.encoding import media_type, refuse_encoded
from deployments.http.problems import InvalidRequest, RequestTooLarge, UnsupportedMediaType, validation_problem

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request, model: type[Model], limit: int = bounds.JSON_BYTES) -> Model:
    """Return the JSON body of up to `limit` bytes as `model`.

    Raises InvalidRequest, RequestTooLarge or UnsupportedMediaType.
    """
    refuse_encoded(request)
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(f"Expected application/json; found {media_type(request)[:64] or 'no content type'}.")
    return validated(model, parse_json(await _read_short(request, limit)))


def parse_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object.

    Raises RequestTooLarge and InvalidRequest. One with too many members is refused before pydantic sees it.
    """
    require_size(body, bounds.JSON_REST_BYTES)
    try:
        value = strict_json.load(body)
    except ValueError as error:
        raise InvalidRequest(f"Expected a JSON object as the body: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"Expected a JSON object as the body; found {strict_json.kind_of(value)}.")
    if len(value) > bounds.MEMBERS:
        raise InvalidRequest(f"Expected a JSON object of at most {bounds.MEMBERS} members; found {len(value):,}.")
    return value


def require_size(body: bytes | bytearray, limit: int) -> None:
    """Raise RequestTooLarge for JSON of more than `limit` bytes, its images not counted."""
    if len(body) > limit:
        raise RequestTooLarge(
            f"Expected at most {limit:,} bytes of JSON beside images; found {len(body):,}.", {"limit": limit}
        )


def validated(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Return `fields` as `model`. Raises InvalidRequest, which says what was expected."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        if error.error_count() > bounds.MISTAKES:
            raise InvalidRequest(f"The request is malformed in {error.error_count():,} places.") from None
        raise validation_problem(error.errors(include_url=False)) from error


async def _read_short(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        require_size(body, limit)
    return bytes(body)
