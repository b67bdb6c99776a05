"""The OpenAPI document where FastAPI cannot derive it: bodies that routes read themselves, and errors."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from deployments.http.responses.base import ErrorEnvelope

ERRORS: Mapping[int, str] = {
    400: "The request is malformed.",
    401: "The token is missing or not valid.",
    403: "The token does not allow this.",
    404: "A resource was not found.",
    408: "The body did not arrive in time.",
    409: "The request conflicts with what is stored.",
    413: "An image or the body is over a limit.",
    415: "The body is of a type that is not taken.",
    422: "The image cannot be used.",
    429: "Too many requests; try again after `Retry-After` seconds.",
    500: "The service failed.",
    503: "A part of the service cannot be reached right now, or the request took too long.",
}

IDEMPOTENCY_HEADER: Mapping[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A retry with the same key and content returns the first outcome and writes nothing.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


def error_responses() -> dict[int | str, dict[str, Any]]:
    """Return what every operation may answer instead of its result."""
    return {status: {"model": ErrorEnvelope, "description": text} for status, text in ERRORS.items()}


def json_body(model: type[BaseModel], *, writes: bool = False) -> dict[str, Any]:
    """Return the description of a JSON body, for `openapi_extra`."""
    body = {"required": True, "content": {"application/json": {"schema": schema_of(model)}}}
    return {"requestBody": body} | ({"parameters": [IDEMPOTENCY_HEADER]} if writes else {})


def writes() -> dict[str, Any]:
    """Return the description of a write without a body, for `openapi_extra`."""
    return {"parameters": [IDEMPOTENCY_HEADER]}


def image_body(
    names: Sequence[str],
    model: type[BaseModel],
    *,
    many: bool = False,
    writes: bool = False,
    instead: type[BaseModel] | None = None,
) -> dict[str, Any]:
    """Return the description of a body with images in the fields `names` and the options of `model`.

    The options may stand in the query, which is where they go when the body is the image itself. `instead`: a JSON
    body that is taken in place of an image.
    """
    options = schema_of(model)
    fields = dict(options.get("properties", {}))
    required = [*names, *options.get("required", [])]

    def body(image: Mapping[str, Any]) -> dict[str, Any]:
        kind = {"type": "array", "items": image, "minItems": 1} if many else image
        properties = {name: kind for name in names} | fields
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    json_schema = body({"type": "string", "contentEncoding": "base64", "description": "An image file in base64."})
    content: dict[str, Any] = {
        "multipart/form-data": {"schema": body({"type": "string", "format": "binary"})},
        "application/json": {
            "schema": json_schema if instead is None else {"anyOf": [json_schema, schema_of(instead)]}
        },
    }
    if len(names) == 1:
        content["image/*"] = content["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in fields.items()
        if name not in ("external_embeddings", "metadata")
    ]
    if writes:
        parameters.append(dict(IDEMPOTENCY_HEADER))
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of `model` with its definitions put in place."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            name = node["$ref"].rsplit("/", 1)[1]
            return resolve(definitions[name] | {key: value for key, value in node.items() if key != "$ref"})
        return {key: resolve(value) for key, value in node.items()}

    resolved: dict[str, Any] = resolve(schema)
    return resolved


def install_openapi(app: FastAPI) -> None:
    """Make `app` serve a document without the 422 that FastAPI would claim, since malformed requests get 400 here."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title=app.title,
                version=app.version,
                summary=app.summary,
                description=app.description,
                routes=app.routes,
            )
            schemas = schema["components"]["schemas"]
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
