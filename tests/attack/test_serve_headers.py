"""Headers that Ray Serve's own HTTP server acts on: a client's have no effect."""

import httpx
import pytest

from tests.attack.target import Target
from tests.attack.wire import exchange, request

pytestmark = pytest.mark.cluster

STEERING = {
    "lift the time limit": b"x-request-timeout-seconds: 0",
    "shorten the time limit": b"x-request-timeout-seconds: 0.000001",
    "no number": b"X-Request-Timeout-Seconds: \xff",
    "no time": b"x-request-timeout-seconds: nan",
    "with underscores": b"x_request_timeout_seconds: 0.000001",
    "ignore that the client left": b"x-request-disconnect-disabled: ?1",
    "no text": b"x-request-disconnect-disabled: \xff",
    "choose a model": b"serve_multiplexed_model_id: somebody-elses",
    "choose a model, with hyphens": b"Serve-Multiplexed-Model-Id: \xff\xfe",
    "choose a replica": b"x-session-id: \xff",
    "choose a route": b"x-serve-router-replica: abc",
    "a trace of no form": b"traceparent: 00-zz-\xff",
    "a state of no form": b"tracestate: \xff=\xff",
}


@pytest.mark.parametrize("line", STEERING.values(), ids=STEERING.keys())
def test_a_header_that_steers_serve_has_no_effect(target: Target, line: bytes) -> None:
    bearer = b"Authorization: Bearer " + target.signer.token(tenant=target.tenant).encode()

    reply = exchange(
        target.url, request(target.url, path="/v1/collections", headers=[bearer, b"Connection: close", line])
    )

    assert reply.statuses == [200], reply.received[:400]


@pytest.mark.parametrize(
    "lines",
    [
        [b"x-request-id: <script>alert(1)</script>"],
        [b"x-request-id: " + b"x" * 5000],
        [b"x-request-id: \xff\xfe"],
        [b"x-request-id: one", b"x-request-id: two"],
        [b"x-request-id:"],
        [b'x-request-id: {"level":"ERROR"}'],
    ],
)
def test_a_request_id_that_is_no_plain_word_is_not_echoed(target: Target, lines: list[bytes]) -> None:
    given = [line.partition(b":")[2].strip() for line in lines]

    reply = exchange(target.url, request(target.url, headers=[b"Connection: close", *lines]))

    head, _, body = reply.received.partition(b"\r\n\r\n")
    ids = [line for line in head.split(b"\r\n") if line.lower().startswith(b"x-request-id:")]
    echoed = [line.partition(b":")[2].strip() for line in ids]
    assert reply.statuses == [200], reply.received[:400]
    assert len(echoed) == 1
    assert echoed[0] not in given
    assert echoed[0] in body


def test_a_plain_request_id_is_echoed(target: Target) -> None:
    answer = httpx.get(f"{target.url}/v1/health", headers={"x-request-id": "mine-1"}, trust_env=False)

    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    assert answer.json()["request_id"] == "mine-1"


@pytest.mark.parametrize(
    "path", ["/-/routes", "/-/healthz", "/-/", "/internal/route", "/metrics", "/api/serve/applications/"]
)
def test_serves_own_paths_tell_nothing_worth_knowing(target: Target, path: str) -> None:
    answer = httpx.get(f"{target.url}{path}", trust_env=False)

    assert answer.status_code in (200, 404, 403)
    if answer.status_code == 200:
        assert answer.text in ("success", '{"/":"faceserve"}')
