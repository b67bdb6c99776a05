"""JSON bodies over each of their bounds: refused early, at little cost, with a message that names the bound."""

import base64
import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from deployments import bounds
from deployments.http.bodies.json_body import parse_json
from deployments.http.problems import Problem
from tests.deployments.colours import drawing
from tests.deployments.service import code_of, message_of

STAFF = "/v1/collections/staff"
PERSONS = f"{STAFF}/persons"
IMAGE = base64.b64encode(drawing(0)).decode()
JSON = {"content-type": "application/json"}
WIDE = b"{%s}" % b",".join(b'"k%d": 0' % number for number in range(400_000))  # 5.5 MB


@pytest.mark.parametrize(
    "body",
    [
        WIDE,
        WIDE[:3_900_000].rsplit(b",", 1)[0] + b"}",
        b'{"a": [' + b"[]," * 1_200_000 + b"[]]}",
        b'{"a": [' + b"{}," * 1_200_000 + b"{}]}",
        b'{"a": [' + b"1," * 1_900_000 + b"1]}",
        b'{"a": {' + b",".join(b'"k%d": 0' % number for number in range(300_000)) + b"}}",
    ],
    ids=["5.5 MB of members", "3.9 MB of members", "lists", "objects", "numbers", "members inside"],
)
def test_json_that_would_be_large_once_parsed_is_refused_before(body: bytes) -> None:
    tracemalloc.start()
    started = time.process_time()
    with pytest.raises(Problem):
        parse_json(body)
    took_s = time.process_time() - started
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert took_s < 0.5  # 4 ms; parsed and validated it was 1.5 s
    assert peak < len(body) + 2**20


async def post(api: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
    return await api.post(path, content=body if isinstance(body, bytes) else json.dumps(body), headers=JSON)


@pytest.mark.parametrize("path", [f"{STAFF}/search", "/v1/collections", PERSONS])
async def test_a_wide_body_is_refused_with_the_bound_in_the_answer(api: httpx.AsyncClient, path: str) -> None:
    response = await post(api, path, WIDE)

    assert code_of(response) == (413, "request_too_large")
    limit = bounds.JSON_BYTES if path == "/v1/collections" else bounds.JSON_REST_BYTES
    assert response.json()["error"]["details"] == {"limit": limit}


@pytest.mark.parametrize("padding", [" " * bounds.JSON_BYTES, ' "x": "' + "x y" * bounds.JSON_BYTES + '",'])
async def test_a_json_body_without_an_image_is_small(api: httpx.AsyncClient, padding: str) -> None:
    for path, rest in ((f"{STAFF}/search", '"face_id": "a"}'), ("/v1/collections", '"id": "a", "name": "A"}')):
        response = await post(api, path, ("{" + padding + rest).encode())

        assert code_of(response) == (413, "request_too_large")
        assert response.json()["error"]["details"] == {"limit": bounds.JSON_BYTES}


async def test_a_json_body_without_an_image_is_read_no_further_than_its_bound(api: httpx.AsyncClient) -> None:
    sent: list[int] = []

    async def body() -> AsyncIterator[bytes]:
        while sum(sent) < 2**22:
            sent.append(2**14)
            yield b" " * 2**14

    response = await api.post("/v1/collections", content=body(), headers=JSON)

    assert code_of(response) == (413, "request_too_large")
    assert sum(sent) <= bounds.JSON_BYTES + 2 * 2**14


async def test_a_collection_with_the_longest_texts_is_within_the_bound(api: httpx.AsyncClient) -> None:
    metadata = {"note": "é" * ((16 * 2**10 - 12) // 2)}
    body = {"id": "long", "name": "é" * 200, "description": "é" * 2000, "metadata": metadata}

    response = await post(api, "/v1/collections", body)

    assert response.status_code == 201, response.text
    assert response.json()["collection"]["metadata"] == metadata


async def test_a_hundred_embeddings_pass_the_bounds(api: httpx.AsyncClient) -> None:
    embeddings = [[-0.12345678901234567e-10] * 512] * 100
    body = {"images": IMAGE, "embedding_mode": "external_trusted", "external_embeddings": embeddings}

    response = await post(api, PERSONS, {**body, "embedding_contract_id": "other"})

    assert code_of(response) == (400, "external_embedding_count_mismatch")  # which is for the decision to say


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/detect", {"image": IMAGE} | {f"k{number}": 0 for number in range(32)}),
        ("/v1/collections", {"id": "a", "name": "A"} | {f"k{number}": 0 for number in range(31)}),
    ],
)
async def test_members_are_counted_before_each_is_looked_at(
    api: httpx.AsyncClient, path: str, body: dict[str, Any]
) -> None:
    response = await post(api, path, body)

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "Expected a JSON object of at most 32 members; found 33."


async def test_many_mistakes_in_one_body_are_counted_and_not_listed(api: httpx.AsyncClient) -> None:
    wide = {f"k{number}": 0 for number in range(3000)}

    response = await post(api, "/v1/collections", {"id": "a", "name": "A", "detection": wide})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response) == "The request is malformed in 3,000 places."


async def test_values_of_a_form_field_are_counted_too(api: httpx.AsyncClient) -> None:
    fields = {"images": ("a.png", drawing(0)), "external_embeddings": (None, "[" + "[]," * 60_000 + "[]]")}
    files = [("images", fields["images"])] * 9 + list(fields.items())

    response = await api.post(PERSONS, files=files)

    assert response.status_code == 400
    assert "expected JSON of at most 120,000 values, found 120,002" in message_of(response)


async def test_images_in_a_list_without_end_are_counted(api: httpx.AsyncClient) -> None:
    response = await post(api, PERSONS, {"images": [""] * 50_000})

    assert code_of(response) == (400, "too_many_images")
    assert response.json()["error"]["details"] == {"limit": 200}
