"""Bodies on their way: slow ones, ones that stop, and more of them than a replica may hold."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from configs.settings import ApiSettings
from deployments import bounds
from deployments.http.bodies.arrival import ArrivingBody, BodyLimits
from deployments.http.bodies.held_bytes import HeldBytes
from deployments.http.problems import BodyTimeout
from deployments.inference.worker import InferenceWorker
from deployments.ports import Overloaded
from tests.deployments.colours import drawing
from tests.deployments.embedders import Held
from tests.deployments.service import Clients, application, client, code_of, message_of, raw
from tests.deployments.tokens import token

STEP = bounds.BODY_STEP_BYTES
RAW = {"content-type": "image/png"}


def arriving(parts: Sequence[tuple[float, int]], step_timeout_s: float) -> ArrivingBody:
    """Return a body of parts, each of which comes so many seconds after it is asked for, and has so many bytes."""
    left = list(parts)

    async def receive() -> Any:
        after_s, size = left.pop(0)
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=after_s)
        return {"type": "http.request", "body": b"x" * size, "more_body": bool(left)}

    scope: dict[str, Any] = {"type": "http", "headers": [], "state": {}}
    limits = BodyLimits(40 * 2**20, step_timeout_s)
    return ArrivingBody(scope, receive, limits, HeldBytes(80 * 2**20), on_whole=lambda: None)


async def read(body: ArrivingBody) -> int:
    """Return how many bytes came."""
    received = 0
    while True:
        message = await body.receive()
        received += len(message["body"])
        if not message["more_body"]:
            return received


async def test_a_slow_line_may_take_longer_than_a_step_while_bytes_arrive() -> None:
    body = arriving([(0.3, STEP)] * 5, step_timeout_s=1.0)  # 1.5 s in all

    assert await read(body) == 5 * STEP


async def test_a_body_that_stops_after_a_fast_start_is_cut_off_after_one_step() -> None:
    body = arriving([(0.0, 50 * STEP), (60.0, 1)], step_timeout_s=0.1)

    with pytest.raises(BodyTimeout, match=r"Expected 200,000 bytes of the request body, or its end, every 0\.1 s"):
        await read(body)


async def test_a_body_that_trickles_is_cut_off_although_something_always_arrives() -> None:
    body = arriving([(0.02, 100)] * 1000, step_timeout_s=0.2)

    with pytest.raises(BodyTimeout) as caught:
        await read(body)
    assert "found 0" not in str(caught.value)


async def test_the_time_of_a_request_begins_when_its_body_is_there(clients: Clients) -> None:
    api = clients(settings=ApiSettings(request_timeout_s=0.5))

    async def body() -> AsyncIterator[bytes]:
        whole = drawing(0)
        for part in (whole[:20], whole[20:40], whole[40:]):
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0.3)
            yield part

    response = await api.post("/v1/detect", content=body(), headers=RAW)

    assert response.status_code == 200, response.text


def test_bytes_are_held_up_to_the_bound_and_given_back() -> None:
    held = HeldBytes(100)
    held.take("a", 50)
    held.take("b", 50)

    with pytest.raises(Overloaded):
        held.take("c", 1)
    held.give_back("a", 50)
    held.take("c", 50)
    assert held.total == 100


def test_a_tenant_holds_half_of_it_at_most() -> None:
    held = HeldBytes(100)
    held.take("a", 50)

    with pytest.raises(Overloaded):
        held.take("a", 1)
    held.take("b", 50)


def test_the_bound_takes_in_the_largest_body() -> None:
    with pytest.raises(ValidationError, match="at least twice max_request_bytes"):
        ApiSettings(max_request_bytes=2**20, max_held_bytes=2**20)


async def test_bodies_at_work_leave_no_room_for_more_of_that_tenant_but_for_others(
    clients: Clients, colours: InferenceWorker
) -> None:
    held = Held(colours)
    settings = ApiSettings(max_request_bytes=2**19, max_held_bytes=2**20)
    app = application(held, clients.gallery, settings=settings)
    heavy = drawing(0) + bytes(300_000)

    async with client(app, token(tenant="a")) as one, client(app, token(tenant="b")) as other:
        first = asyncio.create_task(one.post("/v1/detect", **raw(heavy)))
        await held.waiting.wait()
        second = await one.post("/v1/detect", **raw(heavy))
        beside = asyncio.create_task(other.post("/v1/detect", **raw(heavy)))
        held.let_go.set()
        answers = await asyncio.gather(first, beside)
        third = await one.post("/v1/detect", **raw(heavy))

    assert code_of(second) == (429, "overloaded")
    assert int(second.headers["retry-after"]) >= 1
    assert [answer.status_code for answer in (*answers, third)] == [200, 200, 200]


async def test_what_is_announced_and_not_sent_takes_no_room(clients: Clients) -> None:
    api = clients(settings=ApiSettings(max_request_bytes=2**19, max_held_bytes=2**20))
    begun = asyncio.Event()

    async def stopping() -> AsyncIterator[bytes]:
        yield b"x"
        begun.set()
        await asyncio.Event().wait()

    headers = RAW | {"content-length": "400000"}
    stopped = [asyncio.create_task(api.post("/v1/detect", content=stopping(), headers=headers)) for _ in range(3)]
    await begun.wait()
    answer = await api.post("/v1/detect", **raw(drawing(0) + bytes(400_000)))
    for task in stopped:
        task.cancel()
    await asyncio.gather(*stopped, return_exceptions=True)

    assert answer.status_code == 200, message_of(answer)
