"""Texts and numbers in bodies: base64 that is none, and what cannot be stored."""

import base64
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import code_of, create_collection, enroll, message_of, multipart

STAFF = "/v1/collections/staff"
PERSONS = f"{STAFF}/persons"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("?", "found '?'"),
        ("a", "its length or its padding is wrong"),
        ("data:image/jpeg;base64,?", "found '?'"),
        ("é", "found 'é'"),
        ("iVBORw0KGgo\x00", "found '\\x00'"),
        ("iVBO===", "its length or its padding is wrong"),
        ("iVBO+_==", "found characters of both alphabets, the standard and the URL-safe one"),
    ],
)
async def test_text_that_is_no_base64_is_refused_and_told_what_is_wrong(
    api: httpx.AsyncClient, text: str, fault: str
) -> None:
    response = await api.post("/v1/detect", json={"image": text})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == f"Expected base64 text in 'image'; {fault}."


@pytest.mark.parametrize("size", [0, 1, 2])  # of what follows the PNG: each padding there is
@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.replace("+", "-").replace("/", "_"),
        lambda text: text.rstrip("="),
        lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: f"  {text}\n",
        lambda text: f"DATA:image/png;base64, {text}",
        lambda text: "\r\n".join(text[at : at + 76] for at in range(0, len(text), 76)),
        lambda text: " ".join(text[at : at + 7] for at in range(0, len(text), 7)).rstrip("="),
    ],
    ids=["URL-safe", "unpadded", "URL-safe and unpadded", "spaces around", "DATA", "lines", "spaces inside"],
)
async def test_base64_is_taken_in_every_form_that_clients_write(
    api: httpx.AsyncClient, written: Callable[[str], str], size: int
) -> None:
    photo = drawing(0, 90) + b"\xfb\xff\xfe"[:size] + b"\xfb\xff\xfe" * 20_000  # small texts and lifted ones

    for image in (drawing(0, 90) + b"\xfb\xff"[:size], photo):
        response = await api.post("/v1/detect", json={"image": written(base64.b64encode(image).decode())})

        assert response.status_code == 200, response.text
        assert len(response.json()["faces"]) == 2


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("body", ['{"id": "a", "name": "A", "threshold": %s}', '{"a": [1, {"b": %s}]}'])
async def test_a_number_that_json_does_not_have_is_named(api: httpx.AsyncClient, word: str, body: str) -> None:
    response = await api.post(
        "/v1/collections", content=(body % word).encode(), headers={"content-type": "application/json"}
    )

    assert code_of(response) == (400, "invalid_request")
    assert f"expected numbers; found {word}, which JSON does not have" in message_of(response)


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
        b'{"id": "a", "name": "A", "metadata": {"a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}}",
        b"[" * 60_000,
        b'{"a":' * 12_000,
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
        '{"identifier": 123456789012345678901234567890123456789, "low": -98765432109876543210987654321}',
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
