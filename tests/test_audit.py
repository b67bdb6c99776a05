"""The audit of the dependencies, against a stand-in for the service that knows vulnerabilities."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.audit import Verdict, audit
from tests.ports import free_port

PACKAGE = "starlette"


class Osv(BaseHTTPRequestHandler):
    """Answers as the OSV service does, with one vulnerability of one package."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        known = [
            [{"id": "TEST-1"}] if query["package"]["name"] == PACKAGE and self.fixed is not None else []
            for query in asked
        ]
        self._answer({"results": [{"vulns": each} if each else {} for each in known]})

    def do_GET(self) -> None:
        events: list[dict[str, str]] = [{"introduced": "0"}, *([{"fixed": self.fixed}] if self.fixed else [])]
        affected = {
            "package": {"ecosystem": "PyPI", "name": PACKAGE},
            "ranges": [{"type": "ECOSYSTEM", "events": events}],
        }
        self._answer({"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "A test.", "affected": [affected]})

    def log_message(self, format: str, *args: Any) -> None:
        pass

    @property
    def fixed(self) -> str | None:
        return self.server.fixed  # type: ignore[attr-defined]

    def _answer(self, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def service(fixed: str | None) -> Iterator[str]:
    """Run the stand-in. `fixed`: the release that mends the vulnerability, "" for none, None for no vulnerability."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Osv) as server:
        server.fixed = fixed  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("fixed", "ignored", "verdict"),
    [
        (None, {}, Verdict.CLEAN),
        ("999.0", {}, Verdict.VULNERABLE),
        ("999.0", {"TEST-1": "it concerns a part that is not used"}, Verdict.CLEAN),
        ("", {}, Verdict.CLEAN),
    ],
    ids=["none", "one with a fix", "one that is ignored", "one without a fix"],
)
def test_a_vulnerability_with_a_fix_is_fatal_unless_it_is_ignored(
    fixed: str | None, ignored: dict[str, str], verdict: Verdict
) -> None:
    with service(fixed) as url:
        found, said = audit(ignored, url)

    assert found is verdict, said
    assert ("TEST-1" in said) is (fixed is not None and not ignored)


def test_a_service_that_cannot_be_reached_is_said_and_is_not_fatal() -> None:
    found, said = audit({}, f"http://127.0.0.1:{free_port()}/")

    assert found is Verdict.UNKNOWN, said
