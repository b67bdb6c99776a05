"""The service as a run sets it up and clears it away: plain HTTP, outside of the statistics."""

import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping

TIMEOUT_S = 60
PATIENCE_S = 120  # how long a setup request is repeated while the service answers 429
LONGEST_WAIT_S = 30.0


class SetupFailed(Exception):
    """The service did not do what a run needs; the message says what and why."""


class Service:
    """The operations that surround a run."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def create_collection(self, collection: str) -> None:
        """Create a collection. Raises SetupFailed."""
        body = json.dumps(
            {"id": collection, "name": "Load test", "description": "Made by a load test, which deletes it."}
        )
        self._send("POST", "/v1/collections", body.encode(), "application/json")

    def enroll(self, collection: str, person: str, picture: bytes) -> None:
        """Enrol a person from one JPEG. Raises SetupFailed."""
        body, content_type = enrollment(person, picture)
        self._send("POST", f"/v1/collections/{collection}/persons", body, content_type)

    def delete_collection(self, collection: str) -> None:
        """Delete a collection with everything in it. Raises SetupFailed."""
        self._send("DELETE", f"/v1/collections/{collection}?force=true")

    def _send(self, method: str, path: str, body: bytes | None = None, content_type: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {self._token}"} | ({"Content-Type": content_type} if content_type else {})
        request = urllib.request.Request(self._url + path, body, headers, method=method)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                    response.read()
                return
            except urllib.error.HTTPError as error:
                if error.code != 429 or time.monotonic() > deadline:
                    text = error.read()[:300].decode(errors="replace")
                    raise SetupFailed(f"{method} {path} answered {error.code}: {text}") from error
                time.sleep(retry_after_s(error.headers))
            except OSError as error:
                raise SetupFailed(f"No service answers at {self._url}: {error}") from error


def enrollment(person: str, picture: bytes) -> tuple[bytes, str]:
    """Return the multipart body that enrols `person` from a JPEG, and its content type."""
    boundary = uuid.uuid4().hex
    body = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="id"\r\n\r\n{person}\r\n'
        f'--{boundary}\r\nContent-Disposition: form-data; name="images"; filename="photo.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    ).encode()
    return body + picture + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Return how long a refused client shall wait; 1 second where the answer does not say it in seconds."""
    try:
        return min(max(float(headers.get("Retry-After", "1")), 0.0), LONGEST_WAIT_S)
    except ValueError:
        return 1.0
