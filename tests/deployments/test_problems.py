"""What every response keeps: its id, its headers, our envelope for errors; and what happens at the limits."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from configs.settings import ApiSettings
from deployments.inference import InferenceWorker
from deployments.ports import Overloaded, Seen, Unavailable
from deployments.problems import STATUSES
from encoders.errors import EncoderBroken
from encoders.types import AnalyzeOptions, ModelDescription
from store import errors as store_errors
from store.gallery import Gallery
from tests.deployments.colours import ColourEncoder, drawing
from tests.deployments.described import check_common
from tests.deployments.service import (
    Clients,
    application,
    client,
    code_of,
    create_collection,
    message_of,
    multipart,
    raw,
)
from tests.deployments.tokens import token


class Failing:
    """An embedder that cannot see."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> Seen:
        raise self._error

    async def describe(self) -> ModelDescription:
        raise self._error


class Held:
    """An embedder that looks at an image once it is let go."""

    def __init__(self, worker: InferenceWorker) -> None:
        self._worker = worker
        self.waiting = asyncio.Event()
        self.let_go = asyncio.Event()

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> Seen:
        self.waiting.set()
        await self.let_go.wait()
        return await self._worker.analyze(image, options)

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()


@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v2/detect", "/v1/collections/", "/v1/health/", "/v1/detect/x", "//v1/health", "/docs/", "/%00"],
)
async def test_a_path_that_is_not_there_has_an_envelope(clients: Clients, path: str) -> None:
    for api in (clients(), clients(has_token=False)):
        response = await api.get(path)

        assert code_of(response) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/collections", {"GET", "POST"}),
        ("DELETE", "/v1/collections", {"GET", "POST"}),
        ("POST", "/v1/collections/staff", {"GET", "PATCH", "DELETE"}),
        ("OPTIONS", "/v1/collections/staff/persons/ada", {"GET", "PATCH", "DELETE"}),
        ("GET", "/v1/detect", {"POST"}),
        ("TRACE", "/v1/health", {"GET"}),
    ],
)
async def test_a_method_that_is_not_there_has_an_envelope(
    clients: Clients, method: str, path: str, allowed: set[str]
) -> None:
    response = await clients(has_token=False).request(method, path)

    assert code_of(response) == (405, "method_not_allowed")
    assert set(response.headers["allow"].split(", ")) == allowed


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


async def test_a_query_that_is_no_text_changes_nothing(api: httpx.AsyncClient) -> None:
    response = await api.delete("/v1/collections/staff?force=1&x=\xff%FF%00", headers={"idempotency-key": "once"})

    assert response.status_code == 204


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


async def test_health_names_the_part_that_is_away(clients: Clients) -> None:
    response = await clients(embedder=Failing(Unavailable("embedder")), has_token=False).get("/v1/health")

    assert response.status_code == 503
    assert response.json()["status"] == "not_ready"
    assert response.json()["components"] == {"embedder": "unavailable", "database": "ready"}


async def test_health_is_ready(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/health")

    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["components"] == {"embedder": "ready", "database": "ready"}


def test_every_error_of_the_store_has_a_status() -> None:
    kinds = [kind for kind in vars(store_errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]

    assert all(any(parent in STATUSES for parent in kind.__mro__) for kind in kinds)


async def test_a_request_over_the_limit_of_those_at_once_is_told_to_come_again(
    clients: Clients, colours: InferenceWorker
) -> None:
    held = Held(colours)
    api = clients(embedder=held, settings=ApiSettings(max_in_flight=1))

    first = asyncio.create_task(api.post("/v1/detect", **raw(drawing(0))))
    await held.waiting.wait()
    second = await api.post("/v1/detect", **raw(drawing(0)))
    health = await api.get("/v1/health")
    held.let_go.set()
    answered = await first
    third = await api.post("/v1/detect", **raw(drawing(0)))

    assert code_of(second) == (429, "overloaded")
    assert int(second.headers["retry-after"]) >= 1
    assert health.status_code == 200
    assert answered.status_code == 200
    assert third.status_code == 200


async def test_a_request_that_is_given_up_makes_room(clients: Clients, colours: InferenceWorker) -> None:
    held = Held(colours)
    api = clients(embedder=held, settings=ApiSettings(max_in_flight=1))

    first = asyncio.create_task(api.post("/v1/detect", **raw(drawing(0))))
    await held.waiting.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    held.let_go.set()
    second = await api.post("/v1/detect", **raw(drawing(0)))

    assert second.status_code == 200


async def test_a_request_that_takes_too_long_is_given_up(clients: Clients, colours: InferenceWorker) -> None:
    api = clients(embedder=Held(colours), settings=ApiSettings(request_timeout_s=0.1))

    response = await api.post("/v1/detect", **raw(drawing(0)))

    assert code_of(response) == (503, "request_timeout")
    assert message_of(response) == "The request took longer than 0.1 s."


async def test_a_body_that_does_not_end_is_given_up(clients: Clients) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.Event().wait()

    api = clients(settings=ApiSettings(request_timeout_s=0.1))

    response = await api.post("/v1/detect", content=body(), headers={"content-type": "image/jpeg"})

    assert code_of(response) == (503, "request_timeout")


async def test_a_timeout_inside_is_not_taken_for_the_requests_own(clients: Clients) -> None:
    app = application(Failing(TimeoutError()), clients.gallery)

    async with client(app, token()) as api:
        response = await api.post("/v1/detect", **raw(drawing(0)))

    assert code_of(response) == (500, "internal_error")


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_failure(
    clients: Clients, caplog: pytest.LogCaptureFixture
) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.request", "body": b"x", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {token()}".encode()), (b"content-type", b"image/jpeg")]
    scope = {"type": "http", "method": "POST", "path": "/v1/detect", "query_string": b"", "headers": headers}
    await clients.app()(scope, receive, send)

    assert sent == []
    assert not caplog.records


async def test_a_websocket_is_closed(clients: Clients) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    scope = {"type": "websocket", "path": "/v1/detect", "query_string": b"", "headers": [], "subprotocols": []}
    await clients.app()(scope, receive, send)

    assert sent == ["websocket.close"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "\xe9", "a\tb"])
@pytest.mark.parametrize(
    "request_of",
    [
        lambda: ("POST", "/v1/collections", {"json": {"id": "a", "name": "A"}}),
        lambda: ("DELETE", "/v1/collections/staff", {}),
        lambda: ("POST", "/v1/collections/staff/persons", multipart("images", drawing(0))),
    ],
)
async def test_a_malformed_idempotency_key_is_refused(
    api: httpx.AsyncClient, key: str, request_of: Callable[[], tuple[str, str, dict[str, Any]]]
) -> None:
    method, path, arguments = request_of()

    response = await api.request(method, path, headers=[(b"idempotency-key", key.encode("latin-1"))], **arguments)

    assert code_of(response) == (400, "invalid_request")
    assert "Idempotency-Key" in message_of(response)


async def test_one_idempotency_key_is_enough(clients: Clients) -> None:
    headers = [(b"idempotency-key", b"a"), (b"idempotency-key", b"b")]

    response = await clients().post("/v1/collections", headers=headers, json={"id": "a", "name": "A"})

    assert code_of(response) == (400, "invalid_request")


async def test_what_runs_is_told(clients: Clients, api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")

    models = (await api.get("/v1/models")).json()
    system = (await api.get("/v1/system")).json()

    model = ColourEncoder().model
    assert models["embedding_contract_id"] == model.contract.id
    assert [component["task"] for component in models["models"]] == ["detection", "recognition"]
    assert models["license"] == {"text": "none", "commercial_use": True}
    assert system["stats"] == {"collections": 2, "persons": 0, "faces": 0}
    assert system["safe_config"]["max_images"] == ApiSettings().max_images
    assert system["safe_config"]["uncertain_band"] == 0.05
