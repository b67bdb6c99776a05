"""Development tokens: the secret of a data directory, and tokens signed with it."""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import jwt

from configs.secrets import MIN_SECRET_BYTES, MissingSecret
from configs.settings import TokenSettings

SECRET_FILE = "jwt-secret"


def make_token(
    secret: str,
    *,
    settings: TokenSettings,
    tenant: str,
    scopes: Sequence[str],
    expires_s: float,
    subject: str = "",
    collections: Sequence[str] | None = None,
) -> str:
    """Return a JWT signed with HS256 that the service accepts for `expires_s` seconds."""
    now = int(time.time())
    claims: dict[str, object] = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": subject or tenant,
        "iat": now,
        "exp": now + int(expires_s),
        "tenant": tenant,
        "scope": " ".join(scopes),
    }
    if collections is not None:
        claims["collections"] = list(collections)
    return jwt.encode(claims, secret, algorithm="HS256")


def local_secret(environment: Mapping[str, str], data_dir: Path, *, create: bool) -> str:
    """Return `FACESERVE_JWT_SECRET`, or else the secret that lies in `data_dir`, made there if `create`.

    The file is for its owner only. Raises MissingSecret.
    """
    given = environment.get("FACESERVE_JWT_SECRET", "")
    if given:
        if len(given.encode()) < MIN_SECRET_BYTES:
            raise MissingSecret(f"FACESERVE_JWT_SECRET with at least {MIN_SECRET_BYTES} bytes")
        return given
    path = data_dir / SECRET_FILE
    if create:
        data_dir.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(secrets.token_urlsafe(48))
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise MissingSecret("FACESERVE_JWT_SECRET") from error
