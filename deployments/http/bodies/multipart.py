"""Multipart bodies: their files and fields, within bounds."""

import re
from collections.abc import Mapping, Sequence

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from deployments import bounds
from deployments.decisions.photos import Photo
from deployments.http.problems import InvalidRequest

MAX_FILENAME = 255
EXTENDED_NAME = re.compile(rb";\s*filename\*\s*=", re.IGNORECASE)  # python-multipart leaves it out
EMBEDDINGS = "external_embeddings"  # the one field that may be long


class _WholeMultiPartParser(MultiPartParser):
    """Refuses a body that is cut off, whose last parts Starlette's parser drops without a word.

    Takes a part without a file name for a file where its type is an image's, and one whose name is only there in the
    extended form of RFC 5987. Keeps parts in memory: the body is bounded already, and a spool file on disk would cost a
    thread hop each.
    """

    spool_max_size = 2**31
    _is_whole = False

    def on_headers_finished(self) -> None:
        disposition = self._current_part.content_disposition or b""
        _, options = parse_options_header(disposition)
        kind = next((value for name, value in self._current_part.item_headers if name == b"content-type"), b"")
        is_image = kind.strip().lower().startswith((b"image/", b"application/octet-stream"))
        if b"filename" not in options and (is_image or EXTENDED_NAME.search(disposition)):
            self._current_part.content_disposition = disposition + b"; filename=upload"
        super().on_headers_finished()

    def on_end(self) -> None:
        self._is_whole = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._is_whole:
            for file in self._files_to_close_on_error:
                file.close()
            raise MultiPartException("it ends before its closing boundary.")
        return form


async def read_multipart(
    request: Request, names: Sequence[str]
) -> tuple[Mapping[str, tuple[Photo, ...]], Sequence[tuple[str, str]]]:
    """Return the images of the fields `names`, and the other fields. Raises InvalidRequest."""
    _, parameters = parse_options_header(request.headers["content-type"])
    if parameters.get(b"charset", b"utf-8").lower() != b"utf-8":  # Python's punycode takes minutes for a large field
        raise InvalidRequest("Expected a multipart body in UTF-8; found another charset.")
    parser = _WholeMultiPartParser(
        request.headers,
        request.stream(),
        max_files=bounds.FILES,
        max_fields=bounds.MEMBERS,
        max_part_size=bounds.JSON_REST_BYTES,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        raise InvalidRequest(f"The multipart body could not be read: {error.message}") from error
    try:
        images, fields = await _sorted_parts(form, names)
    finally:
        await form.close()
    for name, value in fields:
        _require_size(name, value, sum(map(len, images.values())))
    return images, fields


async def _sorted_parts(
    form: FormData, names: Sequence[str]
) -> tuple[Mapping[str, tuple[Photo, ...]], Sequence[tuple[str, str]]]:
    images: dict[str, tuple[Photo, ...]] = {}
    fields: list[tuple[str, str]] = []
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if name not in names:
                wanted = " and ".join(f"'{known}'" for known in names)
                raise InvalidRequest(f"Expected images in {wanted}; found one in '{name[:64]}'.")
            filename = (value.filename or "upload")[:MAX_FILENAME]
            images[name] = (*images.get(name, ()), Photo(filename, await value.read()))
        elif name in names:
            raise InvalidRequest(
                f"Expected the field '{name}' to be a file; found a part with neither a file name nor an image's "
                f"Content-Type. With curl: -F {name}=@FILE."
            )
        else:
            fields.append((name, value))
    return images, fields


def _require_size(name: str, value: str, images: int) -> None:
    limit = bounds.EMBEDDING_BYTES * max(1, images) if name == EMBEDDINGS else bounds.FIELD_BYTES
    if len(value) > limit:
        raise InvalidRequest(
            f"Expected the field '{name[:64]}' to have at most {limit:,} characters; found {len(value):,}."
        )
