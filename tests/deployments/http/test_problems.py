"""What every response keeps: its id, its headers, our envelope for errors."""

import logging
from typing import Any
from uuid import UUID

import httpx
import pytest

from configs.settings import ApiSettings
from deployments.http.problems import STATUSES
from deployments.inference.worker import InferenceWorker
from deployments.ports import Overloaded, Unavailable
from encoders.errors import EncoderBroken
from store import errors as store_errors
from store.gallery import Gallery
from tests.deployments.colours import drawing
from tests.deployments.described import check_common
from tests.deployments.embedders import Failing
from tests.deployments.service import Clients, application, client, code_of, message_of, raw
from tests.deployments.tokens import token


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/v1",
        "/v2/detect",
        "/v1/collections/",
        "/v1/health/",
        "/v1/detect/x",
        "//v1/health",
        "/docs/",
        "/docs/..%2Fapp.py",
        "/%00",
    ],
)
async def test_a_path_that_is_not_there_has_an_envelope(clients: Clients, path: str) -> None:
    for api in (clients(), clients(has_token=False)):
        response = await api.get(path)

        assert code_of(response) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/collections", {"GET", "HEAD", "POST"}),
        ("DELETE", "/v1/collections", {"GET", "HEAD", "POST"}),
        ("POST", "/v1/collections/staff", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("OPTIONS", "/v1/collections/staff/persons/ada", {"GET", "HEAD", "PATCH", "DELETE"}),
        ("GET", "/v1/detect", {"POST"}),
        ("TRACE", "/v1/health", {"GET", "HEAD"}),
        ("HEAD", "/v1/detect", {"POST"}),
    ],
)
async def test_a_method_that_is_not_there_has_an_envelope(
    clients: Clients, method: str, path: str, allowed: set[str]
) -> None:
    response = await clients(has_token=False).request(method, path)

    assert response.status_code == 405
    assert set(response.headers["allow"].split(", ")) == allowed
    if method != "HEAD":
        assert code_of(response) == (405, "method_not_allowed")


async def test_no_path_redirects(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/collections/", headers={"host": "evil.example"})

    assert response.status_code == 404
    assert "location" not in response.headers


@pytest.mark.parametrize("host", ["[", "evil.example/x?y#z", "", "a b", "\xff"])
async def test_a_host_that_is_none_changes_nothing(clients: Clients, host: str) -> None:
    headers = [(b"host", host.encode("latin-1")), (b"idempotency-key", b"once")]
    body = {"id": "staff", "name": "Staff"}

    response = await clients().post("/v1/collections", headers=headers, json=body)

    assert response.status_code == 201


async def test_a_query_that_is_no_text_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.delete("/v1/collections/staff?force=1&x=\xff%FF%00", headers={"idempotency-key": "once"})

    assert code_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("id", ["a", "A.b_c-1", "x" * 64, "0b54f0f5-3a0c-4f44-9d3c-0a4e0c0f9f3a"])
async def test_a_clients_request_id_comes_back(clients: Clients, id: str) -> None:
    for api in (clients(), clients(has_token=False)):
        response = await api.get("/v1/collections", headers={"x-request-id": id})

        assert response.headers["x-request-id"] == response.json()["request_id"] == id


@pytest.mark.parametrize("id", [b"", b"x" * 65, b"a b", b"<script>", b"a\xff", b"\xc3\xa9", b"a,b", b"a;b", b"../x"])
async def test_a_hostile_request_id_is_replaced(clients: Clients, id: bytes) -> None:
    response = await clients().get("/v1/collections", headers=[(b"x-request-id", id)])

    assert UUID(response.headers["x-request-id"])
    assert response.json()["request_id"] == response.headers["x-request-id"]


async def test_every_request_has_an_id_of_its_own(clients: Clients) -> None:
    api = clients()

    ids = {(await api.get("/v1/collections")).headers["x-request-id"] for _ in range(5)}

    assert len(ids) == 5


async def test_the_id_is_left_to_a_server_in_front_that_adds_it(gallery: Gallery, colours: InferenceWorker) -> None:
    async with client(application(colours, gallery, echoes_request_id=False), token()) as api:
        response = await api.get("/v1/collections", headers={"x-request-id": "a"})

    assert "x-request-id" not in response.headers
    assert response.json()["request_id"] == "a"


async def test_responses_tell_browsers_to_be_careful(clients: Clients) -> None:
    for response in (await clients().get("/v1/collections"), await clients(has_token=False).get("/docs")):
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["x-frame-options"] == "DENY"
        assert response.headers["referrer-policy"] == "no-referrer"


async def test_the_pages_can_be_left_out(clients: Clients) -> None:
    without = clients(settings=ApiSettings(docs=False), has_token=False)

    assert (await clients(has_token=False).get("/docs")).status_code == 200
    assert code_of(await without.get("/docs")) == (404, "route_not_found")
    assert (await without.get("/openapi.json")).status_code == 200


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "1e3", "\x00", "9" * 5000])
async def test_a_bad_page_size_is_refused(clients: Clients, limit: str) -> None:
    response = await clients().get("/v1/collections", params={"limit": limit})

    assert code_of(response) == (400, "invalid_request")
    assert message_of(response).startswith("The request is malformed: limit: ")


async def test_a_failure_says_nothing_about_itself(gallery: Gallery, caplog: pytest.LogCaptureFixture) -> None:
    secret = "the password in /opt/faceserve/secret.py at 0xdeadbeef"
    app = application(Failing(RuntimeError(secret)), gallery)

    async with client(app, token()) as api:
        response = await api.post("/v1/detect", **raw(drawing(0)))

    assert code_of(response) == (500, "internal_error")
    assert message_of(response) == "The server could not complete the request."
    assert secret not in response.text
    check_common(response)
    [record] = [record for record in caplog.records if record.name == "faceserve.problems"]
    assert record.levelno == logging.ERROR
    assert response.json()["request_id"] in record.getMessage()
    assert record.exc_info


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Unavailable("embedder"), (503, "unavailable")),
        (Overloaded(), (429, "overloaded")),
        (EncoderBroken(), (503, "encoder_broken")),
        (store_errors.SchemaMismatch(3, 2), (503, "schema_mismatch")),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_an_embedder_that_fails_is_told_apart(
    clients: Clients, error: Exception, expected: tuple[int, str]
) -> None:
    response = await clients(embedder=Failing(error)).post("/v1/detect", **raw(drawing(0)))

    assert code_of(response) == expected
    assert ("retry-after" in response.headers) == (expected[0] == 429)


def test_every_error_of_the_store_has_a_status() -> None:
    kinds = [kind for kind in vars(store_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    assert all(any(parent in STATUSES for parent in kind.__mro__) for kind in kinds)


async def test_a_websocket_is_closed(clients: Clients) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/v1/detect", "query_string": b"", "headers": [], "subprotocols": []}
    await clients.app()(scope, receive, send)

    assert sent == ["websocket.close"]
