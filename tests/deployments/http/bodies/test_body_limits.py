"""Bodies over the limit, declared and streamed."""

from collections.abc import AsyncIterator

import httpx
import pytest

from configs.settings import ApiSettings
from tests.deployments.colours import drawing
from tests.deployments.service import PART, Clients, code_of, raw


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


@pytest.mark.parametrize("declared", ["4097", "9" * 5000])
async def test_a_declared_length_over_the_limit_is_refused_before_the_body_is_read(
    clients: Clients, declared: str
) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield b"x"

    request = small(clients).build_request("POST", "/v1/detect", content=body(), headers={"content-type": "image/png"})
    request.headers["content-length"] = declared
    response = await clients.opened[-1].send(request)

    assert code_of(response) == (413, "request_too_large")
    assert read == []


async def test_a_declared_length_in_digits_of_another_script_is_none(clients: Clients) -> None:
    request = small(clients).build_request(
        "POST", "/v1/detect", content=b"x" * 4097, headers={"content-type": "image/png"}
    )
    request.headers.encoding = "utf-8"
    request.headers["content-length"] = "٩"
    response = await clients.opened[-1].send(request)

    assert code_of(response) == (413, "request_too_large")  # by what came


async def test_a_body_within_the_limit_is_taken(clients: Clients) -> None:
    image = drawing(0)
    assert len(image) < 4096

    response = await small(clients).post("/v1/detect", **raw(image))

    assert response.status_code == 200
