"""Request bodies: images as multipart, as the raw body, or as base64 in JSON; other bodies as JSON.

Bodies are read here and not by FastAPI's parameters, so that a request without a valid token is refused before a byte
of its body is parsed.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from deployments.problems import InvalidRequest, UnsupportedMediaType, validation_message

Model = TypeVar("Model", bound=BaseModel)

MAX_FIELDS = 32
MAX_FIELD_BYTES = 4 * 2**20  # 100 external embeddings of 512 floats are 1.2 MB of JSON


class _MemoryMultiPartParser(MultiPartParser):
    """Keeps parts in memory: the body is bounded already, and a spool file on disk would cost a thread hop each."""

    spool_max_size = 2**31


@dataclass(frozen=True, slots=True)
class Upload:
    """One image of a request, still compressed."""

    filename: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The images of a request by field, and its other fields, not yet validated."""

    images: Mapping[str, tuple[Upload, ...]]
    fields: Mapping[str, Any]

    def one(self, name: str) -> Upload:
        """Return the only image of field `name`. Raises InvalidRequest."""
        found = self.images.get(name, ())
        if len(found) != 1:
            raise InvalidRequest(f"Expected one image in the field '{name}'; found {len(found)}.")
        return found[0]

    def options(self, model: type[Model]) -> Model:
        """Return the other fields as `model`. Raises InvalidRequest."""
        return validated(model, self.fields)

    def fingerprint(self, request: Request) -> str:
        """Return what tells this request's content from another's, for idempotency; boundaries do not count."""
        digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
        digest.update(json.dumps(dict(self.fields), sort_keys=True, default=str).encode())
        for name in sorted(self.images):
            for upload in self.images[name]:
                digest.update(name.encode() + hashlib.sha256(upload.content).digest())
        return digest.hexdigest()


def validated(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Return `fields` as `model`. Raises InvalidRequest, which says what was expected."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequest(validation_message(error.errors())) from error


async def read_json(request: Request, model: type[Model]) -> Model:
    """Return the JSON body as `model`. Raises InvalidRequest or UnsupportedMediaType."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(f"Expected application/json; found {media_type(request) or 'no content type'}.")
    return validated(model, parse_json(await request.body()))


def fingerprint_of(request: Request, body: BaseModel) -> str:
    """Return what tells a JSON request's content from another's, for idempotency."""
    content = f"{request.method} {request.url.path}\n{body.model_dump_json()}"
    return hashlib.sha256(content.encode()).hexdigest()


async def read_images(request: Request, names: Sequence[str], max_images: int) -> ImageRequest:
    """Return the images of a request whose image fields are `names`; a raw body is an image of the first of them.

    Raises InvalidRequest or UnsupportedMediaType.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await _read_multipart(request, names, max_images)
    if kind == "application/json":
        return _read_base64(parse_json(await request.body()), names)
    if kind.startswith("image/") or kind == "application/octet-stream":
        content = await request.body()
        images = {names[0]: (Upload("body", content),)} if content else {}
        return ImageRequest(images, dict(request.query_params))
    raise UnsupportedMediaType(
        "Expected multipart/form-data, an image/* body or application/json with base64; "
        f"found {kind or 'no content type'}."
    )


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


def parse_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises InvalidRequest, also for NaN and for nesting that the parser refuses."""
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("Expected a JSON object as the body; it could not be parsed.") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"Expected a JSON object as the body; found {type(value).__name__}.")
    return value


async def _read_multipart(request: Request, names: Sequence[str], max_images: int) -> ImageRequest:
    parser = _MemoryMultiPartParser(
        request.headers,
        request.stream(),
        max_files=max_images + 1,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The multipart body could not be read: {error.message}") from error
    except (KeyError, ValueError) as error:  # a content type without a usable boundary
        raise InvalidRequest(
            "The multipart body could not be read: expected a boundary in the content type."
        ) from error
    images: dict[str, tuple[Upload, ...]] = {}
    fields: dict[str, Any] = dict(request.query_params)
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in names:
                raise InvalidRequest(f"Expected images in {_listed(names)}; found one in '{name[:64]}'.")
            images[name] = (*images.get(name, ()), Upload(value.filename or "upload", await value.read()))
        elif name in names:
            raise InvalidRequest(f"Expected the field '{name}' to be a file; found text. With curl: -F {name}=@FILE.")
        else:
            fields[name] = value
    return ImageRequest(images, fields)


def _read_base64(body: dict[str, Any], names: Sequence[str]) -> ImageRequest:
    images: dict[str, tuple[Upload, ...]] = {}
    for name in names:
        if name in body:
            value = body.pop(name)
            values = value if isinstance(value, list) else [value]
            images[name] = tuple(Upload(f"{name}-{index}", _decode(name, text)) for index, text in enumerate(values))
    return ImageRequest(images, body)


def _decode(name: str, text: Any) -> bytes:
    if not isinstance(text, str):
        raise InvalidRequest(f"Expected base64 text in '{name}'; found {type(text).__name__}.")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest(f"Expected base64 text in '{name}'; it could not be decoded.") from error


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
