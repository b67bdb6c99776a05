"""Request bodies: multipart, the raw image, base64 in JSON; and everything that is none of them."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from configs.settings import ApiSettings
from tests.deployments.colours import drawing
from tests.deployments.service import (
    Clients,
    base64_json,
    code_of,
    create_collection,
    enroll,
    message_of,
    multipart,
    raw,
)

STAFF = "/v1/collections/staff"
PERSONS = f"{STAFF}/persons"
IMAGE_OPERATIONS = ["/v1/detect", "/v1/embeddings", f"{STAFF}/search", f"{STAFF}/identify", f"{PERSONS}/ada/verify"]
ENROLMENTS = [PERSONS, f"{PERSONS}/ada/faces"]


def without(body: Any, *names: str) -> Any:
    """Return a response's body without what differs each time."""
    if isinstance(body, dict):
        left_out = {"request_id", "processing_ms", "created_at", "updated_at", *names}
        return {key: without(value, *names) for key, value in body.items() if key not in left_out}
    return [without(item, *names) for item in body] if isinstance(body, list) else body


@pytest.mark.parametrize("path", IMAGE_OPERATIONS)
async def test_an_image_gives_the_same_answer_in_every_kind_of_body(
    photo_api: httpx.AsyncClient, portrait: bytes, path: str
) -> None:
    await enroll(photo_api, portrait, id="ada")

    as_multipart = await photo_api.post(path, **multipart("image", portrait))
    as_raw = await photo_api.post(path, **raw(portrait))
    as_bytes = await photo_api.post(path, content=portrait, headers={"content-type": "application/octet-stream"})
    as_json = await photo_api.post(path, **base64_json("image", portrait))

    assert as_multipart.status_code == 200
    assert without(as_raw.json()) == without(as_multipart.json())
    assert without(as_bytes.json()) == without(as_multipart.json())
    assert without(as_json.json()) == without(as_multipart.json())


@pytest.mark.parametrize("path", ENROLMENTS)
async def test_an_enrolment_is_the_same_in_every_kind_of_body(
    photo_api: httpx.AsyncClient, portrait: bytes, path: str
) -> None:
    await enroll(photo_api, portrait, id="ada")
    ids = ("id", "person_id", "filename")

    as_multipart = await photo_api.post(path, **multipart("images", portrait, review_mode="standard"))
    as_raw = await photo_api.post(path, **raw(portrait, review_mode="standard"))
    as_json = await photo_api.post(path, **base64_json("images", portrait, many=True, review_mode="standard"))
    as_text = await photo_api.post(path, **base64_json("images", portrait, review_mode="standard"))

    assert as_multipart.status_code == 201
    assert without(as_raw.json(), *ids) == without(as_multipart.json(), *ids)
    assert without(as_json.json(), *ids) == without(as_multipart.json(), *ids)
    assert without(as_text.json(), *ids) == without(as_multipart.json(), *ids)


async def test_a_comparison_is_the_same_in_multipart_and_json(photo_api: httpx.AsyncClient, portrait: bytes) -> None:
    text = base64.b64encode(portrait).decode()

    as_multipart = await photo_api.post("/v1/compare", files={"source": portrait, "target": portrait})
    as_json = await photo_api.post("/v1/compare", json={"source": text, "target": text})

    assert as_multipart.status_code == 200
    assert without(as_json.json()) == without(as_multipart.json())


async def test_a_comparison_is_no_raw_body(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/compare", **raw(drawing(0)))

    assert code_of(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["multipart", "raw", "json", "json and query", "multipart and query"])
async def test_options_are_taken_in_every_kind_of_body(api: httpx.AsyncClient, kind: str) -> None:
    image = drawing(0, 90, 180)
    arguments = {
        "multipart": multipart("image", image, max_faces=2),
        "raw": raw(image, max_faces=2),
        "json": base64_json("image", image, max_faces=2),
        "json and query": base64_json("image", image) | {"params": {"max_faces": 2}},
        "multipart and query": multipart("image", image) | {"params": {"max_faces": 2}},
    }[kind]

    response = await api.post("/v1/detect", **arguments)

    assert len(response.json()["faces"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        multipart("image", drawing(0), max_faces=2) | {"params": {"max_faces": 3}},
        base64_json("image", drawing(0), max_faces=2) | {"params": {"max_faces": 3}},
        raw(drawing(0)) | {"params": [("max_faces", 2), ("max_faces", 3)]},
        {"files": [("image", drawing(0)), ("max_faces", (None, "2")), ("max_faces", (None, "3"))]},
    ],
    ids=["form and query", "json and query", "query twice", "form twice"],
)
async def test_an_option_is_given_once(api: httpx.AsyncClient, arguments: dict[str, Any]) -> None:
    response = await api.post("/v1/detect", **arguments)

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected the option 'max_faces' once; found it more than once."


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/xml", "application/x-www-form-urlencoded", "image", ""]
)
async def test_an_image_in_another_type_of_body_is_refused(api: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}

    response = await api.post("/v1/detect", content=drawing(0), headers=headers)

    assert code_of(response) == (415, "unsupported_media_type")
    assert "multipart/form-data" in message_of(response)


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_json_in_another_type_of_body_is_refused(api: httpx.AsyncClient, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}

    response = await api.post("/v1/collections", content=b'{"id": "a", "name": "A"}', headers=headers)

    assert code_of(response) == (415, "unsupported_media_type")
    assert "application/json" in message_of(response)


async def test_the_content_type_is_read_as_the_standard_says(api: httpx.AsyncClient) -> None:
    headers = {"content-type": "Application/JSON ; charset=utf-8"}

    response = await api.post("/v1/collections", content=b'{"id": "a", "name": "A"}', headers=headers)

    assert response.status_code == 201


@pytest.mark.parametrize(
    "arguments",
    [
        {"data": {"max_faces": "2"}, "files": {}},
        {"files": {"max_faces": (None, "2")}},
        {"json": {}},
        {"content": b"", "headers": {"content-type": "image/jpeg"}},
        {"content": b"--x--\r\n", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        multipart("image", drawing(0), drawing(0)),
        {"json": {"image": []}},
    ],
    ids=["form", "form without files", "json", "raw", "multipart", "two", "none"],
)
async def test_there_must_be_one_image(api: httpx.AsyncClient, arguments: dict[str, Any]) -> None:
    response = await api.post("/v1/detect", **arguments)

    assert response.status_code in (400, 415)
    assert message_of(response).startswith("Expected ")


async def test_an_enrolment_needs_an_image(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, files={"id": (None, "ada")})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected at least one image in the field 'images'; found none."


async def test_an_image_field_that_is_text_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/detect", files={"image": (None, "face.jpg")})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected the field 'image' to be a file; found text. With curl: -F image=@FILE."


async def test_a_file_in_another_field_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/compare", files={"source": drawing(0), "image": drawing(0)})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected images in 'source' and 'target'; found one in 'image'."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_faces": 0}, "max_faces: Input should be greater than or equal to 1; found '0'."),
        (
            {"max_faces": "many"},
            "max_faces: Input should be a valid integer, unable to parse string as an integer; found 'many'.",
        ),
        (
            {"max_faces": ""},
            "max_faces: Input should be a valid integer, unable to parse string as an integer; found ''.",
        ),
    ],
)
async def test_a_bad_option_is_explained(api: httpx.AsyncClient, options: dict[str, Any], message: str) -> None:
    for arguments in (multipart("image", drawing(0), **options), raw(drawing(0), **options)):
        response = await api.post("/v1/detect", **arguments)

        assert code_of(response) == (400, "invalid_request")
        assert message_of(response).replace('"', "'") == f"The request is malformed: {message}"


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1.01", "1e400", "", "0,5", "\x00"])
async def test_a_threshold_is_a_number_from_0_to_1(api: httpx.AsyncClient, value: str) -> None:
    response = await api.post(f"{STAFF}/search", **multipart("image", drawing(0), threshold=value))

    assert code_of(response) == (400, "invalid_request")


async def test_a_long_option_is_not_repeated_in_full(api: httpx.AsyncClient) -> None:
    long_value = await api.post("/v1/detect", **multipart("image", drawing(0), max_faces="9" * 5000))
    long_name = await api.post("/v1/detect", **multipart("image", drawing(0), **{"x" * 5000: "1"}))

    assert code_of(long_value) == code_of(long_name) == (400, "invalid_request")
    assert len(message_of(long_value)) < 300
    assert len(message_of(long_name)) < 300


@pytest.mark.parametrize("text", ["?", "a", "data:image/jpeg;base64,?", "é", "iVBORw0KGgo\x00"])
async def test_text_that_is_no_base64_is_refused(api: httpx.AsyncClient, text: str) -> None:
    response = await api.post("/v1/detect", json={"image": text})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected base64 text in 'image'; it could not be decoded."


@pytest.mark.parametrize(
    ("value", "found"),
    [(5, "a number"), (None, "null"), ({}, "an object"), ([["x"]], "a list"), (True, "true or false")],
)
async def test_a_value_that_is_no_text_is_refused(api: httpx.AsyncClient, value: Any, found: str) -> None:
    response = await api.post("/v1/detect", json={"image": value})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == f"Expected base64 text in 'image'; found {found}."


async def test_base64_may_be_a_data_url_and_have_line_breaks(api: httpx.AsyncClient) -> None:
    text = base64.encodebytes(drawing(0)).decode()

    for image in (text, f"data:image/png;base64,{text}"):
        response = await api.post("/v1/detect", json={"image": image})

        assert len(response.json()["faces"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"text"',
        b"5",
        b'{"id": "a", "name": "A", "threshold": NaN}',
        b'{"id": "a", "name": "A", "threshold": 1e999}',
        b'{"id": "a", "name": "A", "threshold": ' + b"9" * 5000 + b"}",
        b'{"id": "a", "name": "A", "metadata": {"a": Infinity}}',
        b'{"id": "a", "name": "A", "metadata": {"a": 1e999}}',
        b'{"id": "a", "name": "A", "metadata": {"a": "\\u0000"}}',
        b'{"id": "a", "name": "A", "metadata": {"\\u0000": 1}}',
        b'{"id": "a", "name": "A", "metadata": {"a": "\\ud800"}}',
        b'{"id": "a", "name": "\\ud800"}',
        b'{"id": "a", "name": "A", "\\uDFFF": 1}',
        b'{"id": "\\udc00", "name": "A"}',
        b'{"id": "a", "name": "\xed\xa0\x80"}',
        '{"id": "a", "name": "A"}'.encode("utf-16"),
        b'{"id": "a", "name": "A", "metadata": []}',
        b'{"id": "a", "name": "A", "metadata": "{}"}',
        b'{"id": "a", "name": "A", "metadata": {"a": "' + b"x" * 17_000 + b'"}}',
        b'{"id": "a", "name": "A", "metadata": ' + b'{"a":' * 40 + b"1" + b"}" * 41,
        b'{"id": "a", "name": "A", "metadata": ' + b'{"a":' * 300 + b"1" + b"}" * 301,
        b'{"id": "a", "name": "A", "metadata": {"a": ' + b"[" * 900 + b"]" * 900 + b"}}",
        b'{"id": "a", "name": "A", "metadata": {"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
    ],
    ids=lambda body: f"{body[:60]!r} of {len(body)}",
)
async def test_json_that_cannot_be_stored_is_refused(api: httpx.AsyncClient, body: bytes) -> None:
    response = await api.post("/v1/collections", content=body, headers={"content-type": "application/json"})

    assert code_of(response) in [(400, "invalid_request"), (400, "invalid_metadata")]


@pytest.mark.parametrize(
    "metadata",
    [
        '{"a": "\\\\u0000 is how NUL is written"}',
        '{"ключ": "значение", "emoji": "\\ud83d\\ude00", "empty": {}, "null": null, "deep": [[[{"a": []}]]]}',
        '{"small": 1e-300, "integer": 12345678901234567890, "negative": -0.5}',
    ],
)
async def test_metadata_comes_back_as_it_went_in(api: httpx.AsyncClient, metadata: str) -> None:
    created = await enroll(api, drawing(0), id="ada", metadata=metadata)
    collection = await create_collection(api, "other", metadata=json.loads(metadata))

    assert created["person"]["metadata"] == json.loads(metadata)
    assert collection["metadata"] == json.loads(metadata)
    assert (await api.get(f"{PERSONS}/ada")).json()["person"]["metadata"] == json.loads(metadata)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": "{"},
        {"metadata": "[]"},
        {"metadata": "null"},
        {"metadata": "text"},
        {"metadata": ""},
        {"metadata": '{"a": NaN}'},
        {"metadata": '{"a": "\\u0000"}'},
        {"metadata": json.dumps({"a": "x" * 17_000})},
        {"metadata": '{"a":' * 40 + "1" + "}" * 40},
        {"metadata": "[" * 100_000},
        {"metadata": '{"a":' * 100_000},
        {"name": "a\x00b"},
        {"name": "x" * 201},
        {"external_id": "\x00"},
        {"external_id": "x" * 201},
    ],
    ids=lambda options: str(options)[:50],
)
async def test_form_fields_that_cannot_be_stored_are_refused(api: httpx.AsyncClient, options: dict[str, str]) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), id="ada", **options))

    assert code_of(response) in [(400, "invalid_request"), (400, "invalid_metadata")]


@pytest.mark.parametrize(
    ("path", "field"),
    [
        (f"{PERSONS}/ada/merge", "source_person_id"),
        (f"{STAFF}/search", "face_id"),
        (f"{STAFF}/search", "image"),
        ("/v1/detect", "collection_id"),
        ("/v1/detect", "image"),
        (PERSONS, "id"),
    ],
)
async def test_an_unpaired_surrogate_is_refused_wherever_it_stands(
    api: httpx.AsyncClient, path: str, field: str
) -> None:
    body = b'{"%s": "\\ud800"}' % field.encode()

    response = await api.post(path, content=body, headers={"content-type": "application/json"})

    assert code_of(response) == (400, "invalid_request")
    assert "unpaired surrogates" in message_of(response)


@pytest.mark.parametrize("depth", [32, 300])
async def test_nesting_without_end_is_refused_wherever_it_stands(api: httpx.AsyncClient, depth: int) -> None:
    body = b'{"images": "", "external_embeddings": %s}' % (b"[" * depth + b"]" * depth)
    headers = {"content-type": "application/json", "idempotency-key": "once"}

    response = await api.post(PERSONS, content=body, headers=headers)

    assert code_of(response) == (400, "invalid_request")
    assert "nested at most 32 deep" in message_of(response)


PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=y", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=" + "x" * 300, PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=utf-7", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=punycode", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x; charset=undefined", PART + b"x\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"garbage"),
        ("multipart/form-data; boundary=x", PART + b"cut off"),
        ("multipart/form-data; boundary=x", PART + drawing(0) + b"\r\n" + PART + b"cut off"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: attachment\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A" * 20_000 + b": b\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"--x\r\nbad header\r\n\r\nx\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", (PART.replace(b"image", b"") + b"x\r\n") + b"--x--\r\n"),
        ("multipart/form-data; boundary=x", PART.replace(b'"image"', b'"' + b"\xff" * 50 + b'"') + b"x\r\n--x--\r\n"),
    ],
    ids=lambda value: repr(value)[:60],
)
async def test_a_broken_multipart_body_is_refused(api: httpx.AsyncClient, kind: str, body: bytes) -> None:
    response = await api.post("/v1/detect", content=body, headers={"content-type": kind})

    assert code_of(response) == (400, "invalid_request")


async def test_a_multipart_body_without_a_boundary_is_explained(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/detect", content=b"x", headers={"content-type": "multipart/form-data"})

    assert "boundary" in message_of(response)


async def test_too_many_form_fields_are_refused(api: httpx.AsyncClient) -> None:
    options = {f"field-{number}": "x" for number in range(100)}

    response = await api.post("/v1/detect", **multipart("image", drawing(0), **options))

    assert code_of(response) == (400, "invalid_request")


async def test_a_form_field_over_its_limit_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), metadata="x" * (4 * 2**20 + 1)))

    assert code_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("filename", ["", "../../etc/passwd", "a\x00b.jpg", "x" * 2000, "фото.jpg", '"; name="id'])
async def test_a_file_may_have_any_name(api: httpx.AsyncClient, filename: str) -> None:
    files = [("images", (filename or "upload", drawing(0))), ("images", (filename or "upload", drawing()))]

    response = await api.post(PERSONS, files=files)

    assert response.status_code == 201
    assert len(response.json()["rejected_images"][0]["filename"]) <= 255


def small(clients: Clients) -> httpx.AsyncClient:
    return clients(settings=ApiSettings(max_request_bytes=4096))


@pytest.mark.parametrize("kind", ["image/jpeg", "application/json", "multipart/form-data; boundary=x"])
async def test_a_body_over_the_limit_is_refused(clients: Clients, kind: str) -> None:
    response = await small(clients).post("/v1/detect", content=b"x" * 4097, headers={"content-type": kind})

    assert code_of(response) == (413, "request_too_large")
    assert response.json()["error"]["details"] == {"limit": 4096}


@pytest.mark.parametrize("kind", ["image/jpeg", "application/json", "multipart/form-data; boundary=x"])
async def test_a_streamed_body_over_the_limit_is_cut_off(clients: Clients, kind: str) -> None:
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        yield PART
        for _ in range(1000):
            sent.append(1024)
            yield b"x" * 1024

    response = await small(clients).post("/v1/detect", content=body(), headers={"content-type": kind})

    assert code_of(response) == (413, "request_too_large")
    assert sum(sent) < 8192


@pytest.mark.parametrize("declared", ["4097", "9" * 5000, "٩" * 10])
async def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_read(
    clients: Clients, declared: str
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield b"x"

    request = small(clients).build_request("POST", "/v1/detect", content=body(), headers={"content-type": "image/png"})
    request.headers.encoding = "utf-8"
    request.headers["content-length"] = declared
    response = await clients.opened[-1].send(request)

    assert response.status_code in (413, 422)
    assert read == [] or not declared.isascii()


async def test_a_body_within_the_limit_is_taken(clients: Clients) -> None:
    image = drawing(0)
    assert len(image) < 4096

    response = await small(clients).post("/v1/detect", **raw(image))

    assert response.status_code == 200
