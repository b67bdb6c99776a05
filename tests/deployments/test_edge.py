"""What is taken off a request before Ray Serve looks at it, and what clients get in place of its own words.

Over HTTP: tests/attack/test_serve_headers.py.
"""

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.edge import Edge, harmless, middlewares
from deployments.http.middleware import PLAIN_ID


@pytest.mark.parametrize(
    "name",
    [
        b"x-request-timeout-seconds",
        b"x_request_timeout_seconds",
        b"x-request-disconnect-disabled",
        b"serve_multiplexed_model_id",
        b"serve-multiplexed-model-id",
        b"x-session-id",
        b"x-serve-router-replica",
    ],
)
def test_a_header_that_steers_serve_is_dropped(name: bytes) -> None:
    kept = harmless([(b"host", b"x"), (name, b"\xff"), (b"x-request-id", b"mine")])

    assert kept == [(b"host", b"x"), (b"x-request-id", b"mine")]


def test_every_header_that_serve_reads_is_known_here() -> None:
    """A release of Serve that reads another one is seen here."""
    from ray.serve._private import constants

    from deployments.edge import SERVE_HEADERS, SERVE_PREFIX

    ids = ("SERVE_MULTIPLEXED_MODEL_ID", "SERVE_SESSION_ID")
    read = {
        value.encode().replace(b"_", b"-")
        for name, value in vars(constants).items()
        if name.startswith("SERVE_") and isinstance(value, str) and ("HEADER" in name or name in ids)
    }
    known = {*SERVE_HEADERS, b"x-request-id"}
    assert {b"x-request-timeout-seconds", b"serve-multiplexed-model-id"} <= read
    assert {name for name in read if name not in known and not name.startswith(SERVE_PREFIX)} == set()


@pytest.mark.parametrize("given", [[], [b""], [b"\xff"], [b"<b>"], [b"x" * 65], [b"one", b"two"]])
def test_a_request_id_that_is_no_plain_word_is_replaced(given: list[bytes]) -> None:
    ((name, value),) = harmless([(b"x-request-id", value) for value in given])

    assert name == b"x-request-id"
    assert value not in given
    assert PLAIN_ID.fullmatch(value.decode())


def test_serve_takes_it_as_its_proxy_callback() -> None:
    from ray.serve._private.http_util import validate_http_proxy_callback_return

    assert len(validate_http_proxy_callback_return(middlewares())) == 1


async def ask(app: ASGIApp, path: str = "/v1/collections") -> httpx.Response:
    transport = httpx.ASGITransport(Edge(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://faces") as client:
        return await client.get(path, headers={"X-Request-Id": "mine"})


async def says_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve, where the replica died."""


async def test_a_request_that_serve_does_not_answer_is_answered_with_our_envelope() -> None:
    response = await ask(says_nothing)

    assert response.status_code == 503
    assert response.headers["x-request-id"] == "mine"
    assert response.json()["error"]["code"] == "unavailable"
    assert response.json()["request_id"] == "mine"


@pytest.mark.parametrize("status", [408, 500, 503])
async def test_an_error_in_the_words_of_serve_becomes_one_of_ours(status: int) -> None:
    response = await ask(PlainTextResponse("ray.exceptions.ActorDiedError: /home/…", status))

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "unavailable"
    assert "ray" not in response.text


async def test_what_the_application_answers_is_passed_on() -> None:
    async def streams(scope: Scope, receive: Receive, send: Send) -> None:
        await StreamingResponse(iter([b"a", b"b"]), 200, media_type="text/plain")(scope, receive, send)

    assert (await ask(streams)).text == "ab"
    assert (await ask(JSONResponse({"error": {"code": "ours"}}, 503))).json() == {"error": {"code": "ours"}}


async def test_the_health_that_serve_tells_load_balancers_keeps_its_words() -> None:
    response = await ask(PlainTextResponse("draining", 503), "/-/healthz")

    assert (response.status_code, response.text) == (503, "draining")
