"""Too many requests at once, requests that take too long, and clients that leave."""

import asyncio
from typing import Any

import pytest

from configs.settings import ApiSettings
from deployments.inference.worker import InferenceWorker
from tests.deployments.colours import drawing
from tests.deployments.embedders import Failing, Held
from tests.deployments.service import Clients, application, client, code_of, message_of, raw
from tests.deployments.tokens import token


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
