"""The running service that a command talks to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs.settings import TokenSettings
from deployments.commands.tokens import local_secret, make_token
from deployments.http.access.tokens import SCOPES
from faceserve_client import AsyncClient

EXIT_WITH_REJECTS = 3


def token_or_local(token: str | None, data_dir: Path, environment: Mapping[str, str]) -> str:
    """Return `token`, or one for the tenant `default` of the service in `data_dir`. Raises MissingSecret."""
    if token is not None:
        return token
    secret = local_secret(environment, data_dir.expanduser(), create=False)
    return make_token(secret, settings=TokenSettings(), tenant="default", scopes=SCOPES, expires_s=24 * 3600)


def connect(url: str, token: str | None, data_dir: Path, environment: Mapping[str, str]) -> AsyncClient:
    """Return a client of the service at `url`. Raises MissingSecret."""
    return AsyncClient(url, token_or_local(token, data_dir, environment))


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one document that `--json` asks for."""
    print(json.dumps(document, ensure_ascii=False))
