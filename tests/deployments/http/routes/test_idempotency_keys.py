"""Idempotency keys that are none."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import Clients, code_of, message_of, multipart


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
