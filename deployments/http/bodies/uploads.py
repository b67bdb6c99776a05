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

from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from deployments.decisions.photos import Photo
from deployments.http.bodies import strict_json
from deployments.http.bodies.base64_body import decode_base64, lift_long_texts
from deployments.http.problems import InvalidRequest, TooManyImages, UnsupportedMediaType, validation_problem

Model = TypeVar("Model", bound=BaseModel)

MAX_FILES = 200  # above any deployment's own limit of images, so that this one is met first and can say how many came
MAX_FIELDS = 32
MAX_FIELD_BYTES = 4 * 2**20  # 100 external embeddings of 512 floats are 1.2 MB of JSON
MAX_FILENAME = 255
HASHED_HERE_BYTES = 2**20  # sha256 takes 0.6 ms for it; a thread, which can run meanwhile, costs 0.1 ms


class _WholeMultiPartParser(MultiPartParser):
    """Refuses a body that is cut off, whose last parts Starlette's parser drops without a word.

    Keeps parts in memory: the body is bounded already, and a spool file on disk would cost a thread hop each.
    """

    spool_max_size = 2**31
    _is_whole = False

    def on_end(self) -> None:
        self._is_whole = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._is_whole:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it ends before its closing boundary.")
        return form


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
            raise TooManyImages(f"Expected at most {limit} images; found {len(found)}.", {"limit": limit})
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


def validated(model: type[Model], fields: Mapping[str, Any]) -> Model:
    """Return `fields` as `model`. Raises InvalidRequest, which says what was expected."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise validation_problem(error.errors()) from error


async def read_json(request: Request, model: type[Model]) -> Model:
    """Return the JSON body as `model`. Raises InvalidRequest or UnsupportedMediaType."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType(f"Expected application/json; found {media_type(request)[:64] or 'no content type'}.")
    return validated(model, parse_json(await request.body()))


async def read_images(request: Request, names: Sequence[str]) -> ImageRequest:
    """Return the images of a request whose image fields are `names`; where that is one, the body may be the image.

    Options stand beside the images or in the query. Raises InvalidRequest or UnsupportedMediaType.
    """
    kind = media_type(request)
    if kind == "multipart/form-data":
        return await _read_multipart(request, names)
    if kind == "application/json":
        return await _read_base64(request, await request.body(), names)
    if len(names) == 1 and (kind.startswith("image/") or kind == "application/octet-stream"):
        content = await request.body()
        images = {names[0]: (Photo("body", content),)} if content else {}
        return ImageRequest(images, _options(request, ()))
    raw = ", the image itself (image/*)" if len(names) == 1 else ""
    raise UnsupportedMediaType(
        f"Expected multipart/form-data{raw} or application/json with base64; found {kind[:64] or 'no content type'}."
    )


def media_type(request: Request) -> str:
    """Return the body's media type in lower case, without parameters."""
    return request.headers.get("content-type", "").split(";", 1)[0].strip().lower()


def parse_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object. Raises InvalidRequest, also for NaN and for nesting without end."""
    try:
        value = strict_json.load(body)
    except ValueError as error:
        raise InvalidRequest(f"Expected a JSON object as the body: {error}.") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"Expected a JSON object as the body; found {strict_json.kind_of(value)}.")
    return value


async def _read_multipart(request: Request, names: Sequence[str]) -> ImageRequest:
    _, parameters = parse_options_header(request.headers["content-type"])
    if parameters.get(b"charset", b"utf-8").lower() != b"utf-8":  # Python's punycode takes minutes for a large field
        raise InvalidRequest("Expected a multipart body in UTF-8; found another charset.")
    parser = _WholeMultiPartParser(
        request.headers,
        request.stream(),
        max_files=MAX_FILES,
        max_fields=MAX_FIELDS,
        max_part_size=MAX_FIELD_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The multipart body could not be read: {error.message}") from error
    try:
        return await _sorted_parts(request, form, names)
    finally:
        await form.close()


async def _sorted_parts(request: Request, form: FormData, names: Sequence[str]) -> ImageRequest:
    images: dict[str, tuple[Photo, ...]] = {}
    options: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in names:
                raise InvalidRequest(f"Expected images in {_listed(names)}; found one in '{name[:64]}'.")
            filename = (value.filename or "upload")[:MAX_FILENAME]
            images[name] = (*images.get(name, ()), Photo(filename, await value.read()))
        elif name in names:
            raise InvalidRequest(f"Expected the field '{name}' to be a file; found text. With curl: -F {name}=@FILE.")
        else:
            options.append((name, value))
    return ImageRequest(images, _options(request, options))


async def _read_base64(request: Request, content: bytes, names: Sequence[str]) -> ImageRequest:
    short, lifted = lift_long_texts(content)
    body = parse_json(short)
    if not lifted.keys() <= {text for name in names for text in _listed_texts(body.get(name)) if isinstance(text, str)}:
        body, lifted = parse_json(content), {}  # a long text that is no image: some validator's business
    images: dict[str, tuple[Photo, ...]] = {}
    for name in names:
        if name in body:
            texts = _listed_texts(body.pop(name))
            contents = [
                await _decode(name, lifted.get(text, text) if isinstance(text, str) else text) for text in texts
            ]
            images[name] = tuple(Photo(f"{name}-{index}", image) for index, image in enumerate(contents))
    return ImageRequest(images, _options(request, body.items()))


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
    except ValueError as error:
        raise InvalidRequest(f"Expected base64 text in '{name}'; it could not be decoded.") from error


def _listed(names: Sequence[str]) -> str:
    return " and ".join(f"'{name}'" for name in names)
