"""Who is asking: JSON Web Tokens to principals. Knows nothing of HTTP."""

import fnmatch
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from configs.secrets import MIN_SECRET_BYTES, MissingSecret, TokenSecrets
from configs.settings import TokenSettings

SCOPES = ("faces:read", "faces:write", "collections:admin", "system:read")
ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
MAX_TOKEN_BYTES = 8192
MIN_RSA_BITS = 2048  # RFC 7518 section 3.3
PUBLIC_KEYS = f"a public key, RSA of at least {MIN_RSA_BITS} bits, EC P-256 or Ed25519,"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_IN_WORDS = "1 to 64 letters, digits, dots, underscores or hyphens, the first a letter or digit"


class AccessError(Exception):
    """The request is not allowed."""

    code: ClassVar[str] = "forbidden"

    @property
    def details(self) -> Mapping[str, Any]:
        """The facts that help a client to get the right token, as JSON."""
        return {}

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class Unauthorized(AccessError):
    """A valid bearer token is required."""

    code = "unauthorized"

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"A valid bearer token is required: {self.reason}." if self.reason else type(self).__doc__ or ""


class InsufficientScope(AccessError):
    """The token lacks a scope."""

    code = "insufficient_scope"

    def __init__(self, required: str, granted: tuple[str, ...]) -> None:
        super().__init__(required, granted)
        self.required = required
        self.granted = granted

    @property
    def details(self) -> Mapping[str, Any]:
        return {"required_scope": self.required}

    def __str__(self) -> str:
        return f"Expected a token with scope {self.required}; found {' '.join(self.granted) or 'none'}."


class CollectionNotGranted(AccessError):
    """The token does not grant this collection."""

    code = "collection_not_granted"

    def __init__(self, collection: str) -> None:
        super().__init__(collection)
        self.collection = collection

    def __str__(self) -> str:
        return f"The token does not grant collection '{self.collection}'."


@dataclass(frozen=True, slots=True)
class Principal:
    """The holder of a token. `collections`: names or globs of the collections it may touch; None means all."""

    subject: str
    tenant: str
    scopes: tuple[str, ...]
    collections: tuple[str, ...] | None = None

    def require_scope(self, scope: str) -> None:
        """Raise InsufficientScope unless the token has `scope`."""
        if scope not in self.scopes:
            raise InsufficientScope(scope, self.scopes)

    def require_collection(self, collection: str) -> None:
        """Raise CollectionNotGranted unless the token grants `collection`."""
        if self.collections is None:
            return
        if not any(_grants(pattern, collection) for pattern in self.collections):
            raise CollectionNotGranted(collection)


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key bound to the one algorithm that it may verify, which rules out key confusion."""

    kid: str | None
    algorithm: str
    key: Any


class TokenVerifier:
    """Turns a compact JWT into a Principal; checks its signature, `exp`, `iss`, `aud` and claims."""

    def __init__(self, secrets: TokenSecrets, settings: TokenSettings) -> None:
        self._keys = load_keys(secrets)
        self._settings = settings

    def verify(self, token: str) -> Principal:
        """Return who holds `token`. Raises Unauthorized with a reason that names no secret."""
        if len(token) > MAX_TOKEN_BYTES:
            raise Unauthorized(f"expected at most {MAX_TOKEN_BYTES} bytes, found {len(token)}")
        key = self._select(token)
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._settings.leeway_s,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("the token has expired") from error
        except (jwt.InvalidAudienceError, jwt.InvalidIssuerError) as error:
            raise Unauthorized("the token was issued by or for somebody else") from error
        except jwt.MissingRequiredClaimError as error:
            raise Unauthorized(f"the token lacks the claim {error.claim}") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("the token is not valid") from error
        return principal_of(claims)

    def _select(self, token: str) -> VerificationKey:
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("the token is malformed") from error
        algorithm, kid = header.get("alg"), header.get("kid")
        for wanted in (kid, None):  # a secret and a PEM have no name, whatever their issuer calls them
            for key in self._keys:
                if key.algorithm == algorithm and key.kid == wanted:
                    return key
        raise Unauthorized("no key of this service signed it")


def load_keys(secrets: TokenSecrets) -> tuple[VerificationKey, ...]:
    """Return every key in `secrets`, each bound to its algorithm. Raises MissingSecret for an unusable key."""
    keys: list[VerificationKey] = []
    if secrets.secret is not None:
        keys.append(_secret_key(secrets.secret.get_secret_value()))
    if secrets.public_key is not None:
        keys.append(_pem_key(secrets.public_key))
    if secrets.jwks is not None:
        keys.extend(_jwks_keys(secrets.jwks.get_secret_value()))
    return tuple(keys)


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Return the principal that verified `claims` speak of. Raises Unauthorized for claims of the wrong shape."""
    tenant = claims.get("tenant")
    if not isinstance(tenant, str) or NAME.fullmatch(tenant) is None:
        raise Unauthorized("the token lacks a usable claim tenant")
    scope = claims.get("scope", "")
    if not isinstance(scope, str):
        raise Unauthorized("the claim scope is a string of words")
    return Principal(
        subject=str(claims.get("sub", "")), tenant=tenant, scopes=tuple(scope.split()), collections=_granted(claims)
    )


def _granted(claims: Mapping[str, Any]) -> tuple[str, ...] | None:
    if "collections" not in claims:
        return None
    names = claims["collections"]  # null is refused too: an issuer that lost its list must not grant everything
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Unauthorized("the claim collections is a list of names")
    return tuple(names)


def _grants(pattern: str, collection: str) -> bool:
    """Tell whether a name or glob covers `collection`. Only * and ? are special, as where the store lists them."""
    return fnmatch.fnmatchcase(collection, pattern.replace("[", "[[]"))


def _pem_key(text: str) -> VerificationKey:
    for algorithm in ("RS256", "ES256", "EdDSA"):
        try:
            key = jwt.get_algorithm_by_name(algorithm).prepare_key(text)
        except (jwt.PyJWTError, ValueError, TypeError):
            continue
        if hasattr(key, "private_bytes"):
            raise MissingSecret("a public key, not a private one, in FACESERVE_JWT_PUBLIC_KEY_FILE")
        if _is_strong(algorithm, key):
            return VerificationKey(None, algorithm, key)
    raise MissingSecret(f"{PUBLIC_KEYS} in FACESERVE_JWT_PUBLIC_KEY_FILE")


def _jwks_keys(text: str) -> list[VerificationKey]:
    entries = json.loads(text)["keys"]
    # a set may also hold keys to encrypt with; any other key that cannot be used is somebody's mistake
    keys = [_jwk_key(entry) for entry in entries if not isinstance(entry, dict) or entry.get("use", "sig") == "sig"]
    kids = [key.kid for key in keys]
    if not keys or len(set(kids)) != len(kids):
        raise MissingSecret("at least one key, each with a `kid` of its own, in FACESERVE_JWT_JWKS_FILE")
    return keys


def _jwk_key(entry: Any) -> VerificationKey:
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        raise MissingSecret("keys with a `kid` in FACESERVE_JWT_JWKS_FILE")
    if "d" in entry:
        raise MissingSecret("public keys, not private ones, in FACESERVE_JWT_JWKS_FILE")
    if entry.get("alg") not in (None, *ALGORITHMS):
        raise MissingSecret(f"keys for {', '.join(ALGORITHMS)} in FACESERVE_JWT_JWKS_FILE")
    try:
        key = jwt.PyJWK(entry)
    except (jwt.PyJWTError, KeyError) as error:
        raise MissingSecret("usable keys in FACESERVE_JWT_JWKS_FILE") from error
    if not _is_strong(key.algorithm_name, key.key):
        secret = f"secrets of at least {MIN_SECRET_BYTES} bytes"
        raise MissingSecret(f"{PUBLIC_KEYS}, or {secret}, in FACESERVE_JWT_JWKS_FILE")
    return VerificationKey(entry["kid"], key.algorithm_name, key.key)


def _secret_key(secret: str) -> VerificationKey:
    key = secret.encode()
    if not _is_strong("HS256", key):
        raise MissingSecret(f"FACESERVE_JWT_SECRET with at least {MIN_SECRET_BYTES} bytes, and not a key in PEM,")
    return VerificationKey(None, "HS256", key)


def _is_strong(algorithm: str, key: Any) -> bool:
    """Tell whether `key` is of the kind and size that `algorithm` needs, RFC 7518 and RFC 8037."""
    if algorithm == "HS256":
        try:
            jwt.get_algorithm_by_name("HS256").prepare_key(key)  # refuses PEM: that is a public key in the wrong place
        except jwt.InvalidKeyError:
            return False
        return len(key) >= MIN_SECRET_BYTES
    if algorithm == "RS256":
        return isinstance(key, RSAPublicKey) and key.key_size >= MIN_RSA_BITS
    if algorithm == "ES256":
        return isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)
    return algorithm == "EdDSA" and isinstance(key, Ed25519PublicKey)
