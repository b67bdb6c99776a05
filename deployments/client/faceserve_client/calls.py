"""A call as a value: what is sent, and what its answer becomes. Operations make them, clients carry them out."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from faceserve_client.images import Image, bytes_of, name_of
from faceserve_client.unset import UNSET

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What becomes of an answer. `model`: what it is described as, None without JSON."""

    model: type[BaseModel] | None
    read: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request. `options`: in the query, or with `as_form` in the form beside the images.

    `body`: JSON. `is_write`: it is sent under an idempotency key, `key` where the caller gave one. `accepted`: statuses
    that are answers and not errors, beside 2xx.
    """

    method: str
    path: str
    reading: Reading[T]
    options: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    images: Sequence[tuple[str, Image]] = ()
    as_form: bool = False
    is_write: bool = False
    key: str | None = None
    accepted: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that comes in pages. `page` makes the call for what follows a cursor."""

    page: Callable[[str | None], "Call[tuple[Sequence[T], str | None]]"]


def path_of(*segments: str) -> str:
    """Return `/v1/a/b` of segments, each quoted. Raises ValueError for an id that would lead to another path."""
    for segment in segments:
        if segment in ("", ".", "..") or "/" in segment:
            raise ValueError(f"Expected an id without '/' that is not empty, '.' or '..'; found {segment!r}.")
    return "/".join(("/v1", *(quote(segment, safe="") for segment in segments)))


def given(**options: Any) -> dict[str, Any]:
    """Return the options that were set: None means that the service chooses."""
    return {name: value for name, value in options.items() if value is not None}


def changed(**options: Any) -> dict[str, Any]:
    """Return the fields that were set, also those that were set to None."""
    return {name: value for name, value in options.items() if value is not UNSET}


def answer(model: type[Model], take: Callable[[Model], T]) -> Reading[T]:
    """Return how an answer of `model` is read, of which `take` gives the result."""
    return Reading(model, lambda content: take(model.model_validate_json(content)))


def whole(model: type[Model]) -> Reading[Model]:
    """Return how an answer is read that is the result itself."""
    return Reading(model, model.model_validate_json)


def nothing() -> Reading[None]:
    """Return how an answer without a body is read."""
    return Reading(None, lambda content: None)


def raw() -> Reading[bytes]:
    """Return how an answer that is bytes is read."""
    return Reading(None, lambda content: content)


def request_of(call: Call[Any]) -> dict[str, Any]:
    """Return the arguments of an HTTP client's `build_request`. Reads the images. Raises NotAnImage, OSError."""
    request: dict[str, Any] = {"method": call.method, "url": call.path}
    if call.is_write:
        request["headers"] = {"Idempotency-Key": call.key or uuid.uuid4().hex}
    if call.body is not None:
        request["json"] = dict(call.body)
    if call.as_form:
        request["data"] = {name: _text(value) for name, value in call.options.items()}
        request["files"] = [
            (name, (name_of(image, number), bytes_of(image), "application/octet-stream"))
            for number, (name, image) in enumerate(call.images)
        ]
        return request
    if call.options:
        request["params"] = {name: _parameter(value) for name, value in call.options.items()}
    if call.images:  # one image is the body itself: a form costs both sides more
        ((_, image),) = call.images
        request["content"] = bytes_of(image)
        request.setdefault("headers", {})["Content-Type"] = "application/octet-stream"
    return request


def _parameter(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
