"""How a client reaches the service."""

import os
from dataclasses import dataclass

from faceserve_client.errors import FaceserveError

DEFAULT_URL = "http://127.0.0.1:8000"


class MissingToken(FaceserveError):
    """Expected a token, as an argument or in FACESERVE_TOKEN."""

    def __str__(self) -> str:
        return type(self).__doc__ or ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service is, and how patient a client is.

    `timeout_s`: of each try. `retries`: how often a call is repeated after 408, 429, 502, 503, 504 or no answer.
    """

    url: str
    token: str
    timeout_s: float
    retries: int

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"Authorization": f"Bearer {self.token}", "User-Agent": "faceserve-client/0.1.0"}


def settings_of(url: str | None, token: str | None, timeout_s: float, retries: int) -> Settings:
    """Return the settings; `url` and `token` default to FACESERVE_URL and FACESERVE_TOKEN. Raises MissingToken."""
    token = token or os.environ.get("FACESERVE_TOKEN")
    if not token:
        raise MissingToken()
    return Settings((url or os.environ.get("FACESERVE_URL") or DEFAULT_URL).rstrip("/"), token, timeout_s, retries)
