"""What is taken off a request before Ray Serve looks at it. Over HTTP: tests/attack/test_serve_headers.py."""

import pytest

from deployments.edge import harmless, middlewares
from deployments.middleware import REQUEST_ID


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
    assert REQUEST_ID.fullmatch(value.decode())


def test_serve_takes_it_as_its_proxy_callback() -> None:
    from ray.serve._private.http_util import validate_http_proxy_callback_return

    assert len(validate_http_proxy_callback_return(middlewares())) == 1
