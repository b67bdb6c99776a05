"""Holds every response of the tests against the service's own OpenAPI document, and against what all responses keep."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from jsonschema import Draft202012Validator

# What would tell a client about our machine, our statements or our code.
LEAKS = re.compile(
    re.escape(str(Path(__file__).parents[2]))
    + r"|Traceback|File \"|site-packages|\.py\b|/(?:home|tmp|root|usr|var|opt)/|asyncpg|postgres(?:ql)?://|"
    r"\bselect\b .*\bfrom\b|\binsert into\b|0x[0-9a-f]{6,}|<class ",
    re.IGNORECASE,
)


class Described:
    """What the OpenAPI document of an application says about a response."""

    def __init__(self, app: FastAPI) -> None:
        self.document = app.openapi()
        self._validators: dict[str, Draft202012Validator] = {}
        self._templates = [
            (template, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))))
            for template in self.document["paths"]
        ]

    async def check(self, response: httpx.Response) -> None:
        """Fail the test unless `response` is as every response is, and as its operation is described."""
        await response.aread()
        assert response.status_code != 500, response.text
        check_common(response)
        operation = self.operation(response.request)
        if operation is None:
            return
        described = operation["responses"]
        assert str(response.status_code) in described, f"{response.request} answers {response.status_code}, unwritten"
        content = described[str(response.status_code)].get("content", {})
        if not content:
            assert response.content == b""
            return
        kind = response.headers["content-type"].partition(";")[0]
        assert kind in content
        if kind == "application/json":
            errors = list(self._validator(content[kind]["schema"]).iter_errors(response.json()))
            assert not errors, f"{response.request}: {errors[0].message} at {errors[0].json_path}"

    def operation(self, request: httpx.Request) -> dict[str, Any] | None:
        """Return the description of the operation that `request` is for, None if there is none."""
        for template, pattern in self._templates:
            if pattern.fullmatch(request.url.path):
                operations: dict[str, Any] = self.document["paths"][template]
                if request.method.lower() in operations:
                    return dict(operations[request.method.lower()])
        return None

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        key = json.dumps(schema)
        if key not in self._validators:
            self._validators[key] = Draft202012Validator(schema | {"components": self.document["components"]})
        return self._validators[key]


def check_common(response: httpx.Response) -> None:
    """Fail the test unless `response` has an id, and an error our envelope with nothing in it of our insides."""
    if "access-control-request-method" in response.request.headers and "allow" not in response.headers:
        return  # a preflight, which a browser asks on its own account
    assert len(response.headers.get_list("x-request-id")) == 1
    assert response.headers["x-content-type-options"] == "nosniff"
    if response.request.method == "HEAD":
        assert response.content == b""
        return
    if response.status_code < 400:
        return
    body = response.json()
    if "components" in body:  # of the health check, which is no error
        return
    assert body.keys() == {"error", "request_id"}
    assert body["error"].keys() == {"code", "message", "details"}
    assert body["request_id"] == response.headers["x-request-id"]
    assert re.fullmatch(r"[a-z_]+", body["error"]["code"])
    assert body["error"]["message"]
    assert not LEAKS.search(response.text), response.text
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == "Bearer"
