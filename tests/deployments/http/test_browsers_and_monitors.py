"""What monitors and pages in a browser ask: HEAD, preflights, answers that a page of another origin may read."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from configs.settings import ApiSettings
from tests.deployments.colours import drawing
from tests.deployments.operations import Operation, operations
from tests.deployments.service import Clients, code_of, enroll, message_of, raw

ORIGIN = "https://app.example.com"
PREFLIGHT = {
    "origin": ORIGIN,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type,idempotency-key",
}


def readable(clients: Clients) -> Iterator[Operation]:
    yield from (operation for operation in operations(clients.app()) if operation.method == "GET")


async def test_head_is_get_without_the_body_wherever_get_is(clients: Clients, api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    for operation in readable(clients):
        read = await api.get(operation.path)
        asked = await api.head(operation.path)

        assert asked.status_code == read.status_code, operation.path
        assert asked.content == b""
        assert asked.headers.get("content-type") == read.headers.get("content-type")
        assert len(asked.headers.get("content-length", "")) == len(read.headers.get("content-length", ""))


async def test_head_needs_a_token_where_get_does(clients: Clients) -> None:
    api = clients(has_token=False)

    for operation in readable(clients):
        assert (await api.head(operation.path)).status_code == (await api.get(operation.path)).status_code


async def test_a_page_of_another_origin_may_call_nothing_by_default(clients: Clients) -> None:
    api = clients()

    preflight = await api.options("/v1/detect", headers=PREFLIGHT)
    answer = await api.post("/v1/detect", **{**raw(drawing(0)), "headers": {"origin": ORIGIN}})

    assert code_of(preflight) == (405, "method_not_allowed")
    assert "access-control-allow-origin" not in answer.headers


async def test_a_page_of_an_origin_that_is_listed_may_call_and_read_refusals(clients: Clients) -> None:
    api = clients(settings=ApiSettings(cors_origins=(ORIGIN, "http://localhost:5173"), max_request_bytes=4096))

    preflight = await api.options("/v1/detect", headers=PREFLIGHT)
    seen = await api.post("/v1/detect", content=drawing(0), headers={"origin": ORIGIN, "content-type": "image/png"})
    refused = await api.post("/v1/detect", content=b"x" * 5000, headers={"origin": ORIGIN, "content-type": "image/png"})

    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == ORIGIN
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    assert "access-control-allow-credentials" not in preflight.headers
    assert (seen.status_code, refused.status_code) == (200, 413)
    for answer in (seen, refused):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
        assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://app.example.com"])
async def test_a_page_of_an_origin_that_is_not_listed_may_not(clients: Clients, origin: str) -> None:
    api = clients(settings=ApiSettings(cors_origins=(ORIGIN,)))

    preflight = await api.options("/v1/detect", headers=PREFLIGHT | {"origin": origin})
    answer = await api.get("/v1/health", headers={"origin": origin})

    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://*.example.com", f"{ORIGIN}/", "app.example.com", "HTTPS://A.b"]
)
def test_an_origin_is_written_out(origin: str) -> None:
    with pytest.raises(ValidationError, match="expected an origin"):
        ApiSettings(cors_origins=(origin,))


@pytest.mark.parametrize(
    ("method", "path", "arguments", "found"),
    [
        ("GET", "/v1/collections", {"params": {"page": 2}}, "'page'"),
        ("GET", "/v1/collections", {"params": {"offset": 5, "limit": 5}}, "'offset'"),
        ("GET", "/v1/collections/staff", {"params": {"fields": "id"}}, "'fields'"),
        ("GET", "/v1/models", {"params": {"x" * 5000: "1"}}, f"'{'x' * 64}'"),
        ("POST", "/v1/collections", {"params": {"x": 1}, "json": {"id": "a", "name": "A"}}, "'x'"),
        ("DELETE", "/v1/collections/staff", {"params": {"forced": "true"}}, "'forced'"),
        ("HEAD", "/v1/collections", {"params": {"page": 2}}, None),
    ],
)
async def test_a_query_parameter_that_is_not_known_is_refused(
    api: httpx.AsyncClient, method: str, path: str, arguments: dict[str, Any], found: str | None
) -> None:
    response = await api.request(method, path, **arguments)

    assert response.status_code == 400
    if found is not None:
        assert code_of(response) == (400, "invalid_request")
        assert message_of(response).endswith(f"; found {found}.")


async def test_every_operation_with_a_token_refuses_what_it_does_not_know(
    clients: Clients, api: httpx.AsyncClient
) -> None:
    for operation in operations(clients.app()):
        if operation.is_open:
            continue
        arguments = operation.arguments | {"params": operation.arguments.get("params", {}) | {"unheard_of": "1"}}
        response = await api.request(operation.method, operation.path, **arguments)

        assert code_of(response) == (400, "invalid_request"), operation


async def test_a_query_parameter_is_given_once_unless_it_is_a_list(api: httpx.AsyncClient) -> None:
    twice = await api.get("/v1/collections", params=[("limit", 1), ("limit", 2)])
    listed = await api.delete("/v1/collections/staff/persons/ada/faces", params=[("face_id", "a"), ("face_id", "b")])

    assert message_of(twice) == "Expected the query parameter 'limit' once; found it 2 times."
    assert listed.status_code == 404  # which is for the gallery to say


async def test_a_token_is_looked_at_before_the_query(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/collections", params={"page": 2})

    assert response.status_code == 401
