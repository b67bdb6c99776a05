"""Tokens and keys, good ones and bad ones."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deployments.http.access.tokens import SCOPES

SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"
ALL_SCOPES = " ".join(SCOPES)


def claims(**changes: Any) -> dict[str, Any]:
    """Return what a token with every scope says, with `changes`; a claim that is changed to None is left out."""
    said = {
        "iss": "faceserve",
        "aud": "faceserve",
        "exp": int(time.time()) + 600,
        "sub": "tests",
        "tenant": "default",
        "scope": ALL_SCOPES,
    }
    return {name: value for name, value in (said | changes).items() if value is not None}


def token(key: Any = SECRET, algorithm: str = "HS256", *, kid: str | None = None, **changes: Any) -> str:
    """Return a token signed with `key`."""
    return jwt.encode(claims(**changes), key, algorithm, headers=None if kid is None else {"kid": kid})


def forged(header: dict[str, Any] | str, secret: bytes, said: dict[str, Any] | str | None = None) -> str:
    """Return a token with any header and claims, signed as HS256 with whatever `secret` is; libraries refuse to."""
    parts = [header, claims() if said is None else said]
    texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
    signed = ".".join(encoded(text.encode()) for text in texts)
    return f"{signed}.{encoded(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def private_key(algorithm: str) -> Any:
    """Return a new key that signs with `algorithm`."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def private_pem(key: Any) -> str:
    return str(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode())


def public_jwk(key: Any, algorithm: str, kid: str | None) -> dict[str, Any]:
    """Return the public half of `key` as it stands in a key set."""
    jwk: dict[str, Any] = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
    return jwk | {"alg": algorithm} | ({} if kid is None else {"kid": kid})


def secret_jwk(secret: str, kid: str) -> dict[str, Any]:
    return {"kty": "oct", "alg": "HS256", "kid": kid, "k": encoded(secret.encode())}
