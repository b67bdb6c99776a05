"""What a deployment reads from its environment, and nowhere else: the database URL and the token keys."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

MIN_SECRET_BYTES = 32  # HS256 needs a key as long as its hash, RFC 7518 section 3.2


class MissingSecret(Exception):
    """A secret that the service cannot do without is not in the environment."""

    def __init__(self, wanted: str) -> None:
        super().__init__(wanted)
        self.wanted = wanted

    def __str__(self) -> str:
        return f"Expected {self.wanted} in the environment; found nothing usable."


class TokenSecrets(BaseModel):
    """The keys that tokens may be signed with.

    `secret`: a shared secret for HS256. `public_key`: PEM text of one public key. `jwks`: a JSON Web Key Set with any
    number of keys, each with its `kid`. At least one of them is there.
    """

    model_config = ConfigDict(frozen=True)

    secret: SecretStr | None = None
    public_key: str | None = None
    jwks: SecretStr | None = None

    def shared_seed(self) -> bytes:
        """Return bytes that all replicas share, to sign list cursors and to hide the names of tenants in logs.

        With public keys only they are no secret: a forged cursor then reaches no list that its token does not, and who
        has the keys can find out which tenant of a list of names a log line is about.
        """
        texts = (self.secret.get_secret_value() if self.secret else "", self.public_key or "")
        return "\0".join((*texts, self.jwks.get_secret_value() if self.jwks else "")).encode()


def read_database_url(environment: Mapping[str, str]) -> SecretStr:
    """Return `FACESERVE_DATABASE_URL`. Raises MissingSecret."""
    url = environment.get("FACESERVE_DATABASE_URL", "").strip()
    if not url:
        raise MissingSecret("FACESERVE_DATABASE_URL, a PostgreSQL URL,")
    return SecretStr(url)


def read_token_secrets(environment: Mapping[str, str]) -> TokenSecrets:
    """Return the token keys of `environment`. Raises MissingSecret.

    `FACESERVE_JWT_SECRET` holds a shared secret of at least 32 bytes, `FACESERVE_JWT_PUBLIC_KEY_FILE` names a PEM file,
    `FACESERVE_JWT_JWKS_FILE` a JSON Web Key Set; several keys rotate by `kid` in the set.
    """
    secret = environment.get("FACESERVE_JWT_SECRET") or None
    if secret is not None and len(secret.encode()) < MIN_SECRET_BYTES:
        raise MissingSecret(f"FACESERVE_JWT_SECRET with at least {MIN_SECRET_BYTES} bytes")
    public_key = _read_file(environment, "FACESERVE_JWT_PUBLIC_KEY_FILE")
    jwks = _read_file(environment, "FACESERVE_JWT_JWKS_FILE")
    if jwks is not None and not _is_key_set(jwks):
        raise MissingSecret("a JSON Web Key Set, with a list of `keys`, in the file of FACESERVE_JWT_JWKS_FILE,")
    if secret is None and public_key is None and jwks is None:
        raise MissingSecret("FACESERVE_JWT_SECRET, FACESERVE_JWT_PUBLIC_KEY_FILE or FACESERVE_JWT_JWKS_FILE")
    return TokenSecrets(
        secret=SecretStr(secret) if secret else None,
        public_key=public_key,
        jwks=SecretStr(jwks) if jwks else None,
    )


def _read_file(environment: Mapping[str, str], name: str) -> str | None:
    path = environment.get(name)
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MissingSecret(f"a readable text file named by {name}") from error


def _is_key_set(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and isinstance(value.get("keys"), list)
