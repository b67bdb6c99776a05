"""Request bodies: images as multipart, as the raw body, or as base64 in JSON; other bodies as JSON.

Bodies are read here and not by FastAPI's parameters, so that a request without a valid token is refused before a byte
of its body is parsed.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel
from starlette.requests import Request

from deployments import bounds
from deployments.decisions.photos import Photo
from deployments.http.bodies import strict_json
from deployments.http.bodies.base64_body import NotBase64, decode_base64, lift_long_texts
from deployments.http.bodies.encoding import media_type, refuse_encoded
from deployments.http.bodies.json_body import parse_json, require_size, validated
from deployments.http.bodies.multipart import read_multipart
from deployments.http.problems import InvalidRequest, TooManyImages, UnsupportedMediaType

Model = TypeVar("Model", bound=BaseModel)

HASHED_HERE_BYTES = 2**20  # sha256 takes 0.6 ms for it; a thread, which can run meanwhile, costs 0.1 ms


@dataclass(frozen=True, slots=True)
class ImageRequest:
    """The images of a request by field, and its other fields, not yet validated."""

    images: Mapping[str, tuple[Photo, ...]]
    fields: Mapping[str, Any]

    def one(self, name: str) -> Photo:
        """Return the only image of field `name`. Raises InvalidRequest."""
        found = self.images.get(name, ())
        if len(found) != 1:
            raise InvalidRequest(f"Expected one image in the field '{name}'; found {len(found)}.")
        return found[0]

    def some(self, name: str, limit: int) -> tuple[Photo, ...]:
        """Return the images of field `name`, at least one. Raises InvalidRequest, and TooManyImages over `limit`."""
        found = self.images.get(name, ())
        if not found:
            raise InvalidRequest(f"Expected at least one image in the field '{name}'; found none.")
        if len(found) > limit:
            raise _too_many(limit, len(found))
        return found

    def options(self, model: type[Model]) -> Model:
        """Return the other fields as `model`. Raises InvalidRequest."""
        return validated(model, self.fields)

    async def digest(self) -> str:
        """Return what tells this content from another, for idempotency; boundaries and names of files do not count."""
        size = sum(len(upload.content) for uploads in self.images.values() for upload in uploads)
        return await asyncio.to_thread(self._digest) if size > HASHED_HERE_BYTES else self._digest()

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(dict(self.fields), sort_keys=True).encode())
        for name in sorted(self.images):
            for upload in self.images[name]:
                digest.update(name.encode() + hashlib.sha256(upload.content).digest())
        return digest.hexdigest()


async def read_images(request: Request, names: Sequence[str]) -> ImageRequest:
    """Return the images of a request whose image fields are `names`; where that is one, the body may be the image.

    Options stand beside the images or in the query. Raises InvalidRequest, RequestTooLarge or UnsupportedMediaType.
    """
    refuse_encoded(request)
    kind = media_type(request)
    if kind == "multipart/form-data":
        images, fields = await read_multipart(request, names)
        return ImageRequest(images, _options(request, fields))
    if kind == "application/json":
        return await _read_base64(request, await request.body(), names)
    if len(names) == 1 and (kind.startswith("image/") or kind == "application/octet-stream"):
        content = await request.body()
        found = {names[0]: (Photo("body", content),)} if content else {}
        return ImageRequest(found, _options(request, ()))
    raw = ", the image itself (image/*)" if len(names) == 1 else ""
    raise UnsupportedMediaType(
        f"Expected multipart/form-data{raw} or application/json with base64; found {kind[:64] or 'no content type'}."
    )


async def _read_base64(request: Request, content: bytes, names: Sequence[str]) -> ImageRequest:
    short, lifted = lift_long_texts(content)
    body = parse_json(short)
    if not lifted.keys() <= {text for name in names for text in _listed_texts(body.get(name)) if isinstance(text, str)}:
        body, lifted = parse_json(content), {}  # a long text that is no image: some validator's business
    if not any(name in body for name in names):
        require_size(content, bounds.JSON_BYTES)
    images: dict[str, tuple[Photo, ...]] = {}
    for name in names:
        if name in body:
            texts = _listed_texts(body.pop(name))
            if len(texts) > bounds.FILES:
                raise _too_many(bounds.FILES, len(texts))
            contents = [
                await _decode(name, lifted.get(text, text) if isinstance(text, str) else text) for text in texts
            ]
            images[name] = tuple(Photo(f"{name}-{index}", image) for index, image in enumerate(contents))
    return ImageRequest(images, _options(request, body.items()))


def _too_many(limit: int, found: int) -> TooManyImages:
    return TooManyImages(f"Expected at most {limit} images; found {found:,}.", {"limit": limit})


def _listed_texts(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _options(request: Request, given: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return the options of the query and those `given` in the body. Raises InvalidRequest where one is there twice."""
    options: dict[str, Any] = {}
    for name, value in (*request.query_params.multi_items(), *given):
        if name in options:
            raise InvalidRequest(f"Expected the option '{name[:64]}' once; found it more than once.")
        options[name] = value
    return options


async def _decode(name: str, text: Any) -> bytes:
    if not isinstance(text, str | memoryview):
        raise InvalidRequest(f"Expected base64 text in '{name}'; found {strict_json.kind_of(text)}.")
    try:
        return await decode_base64(text)
    except NotBase64 as error:
        raise InvalidRequest(f"Expected base64 text in '{name}'; {error}.") from error
