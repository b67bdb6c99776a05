"""Which keys a deployment may start with."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa

from configs.secrets import MissingSecret, read_database_url, read_token_secrets
from configs.settings import TokenSettings
from deployments.http.access.tokens import TokenVerifier, load_keys
from tests.deployments.tokens import SECRET, encoded, private_key, private_pem, public_jwk, public_pem, secret_jwk

PEM = "FACESERVE_JWT_PUBLIC_KEY_FILE"
JWKS = "FACESERVE_JWT_JWKS_FILE"


def started(environment: dict[str, str]) -> TokenVerifier:
    return TokenVerifier(read_token_secrets(environment), TokenSettings())


def file(folder: Path, content: str | bytes) -> str:
    path = folder / "keys"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


@pytest.mark.parametrize(
    "environment",
    [{}, {"FACESERVE_JWT_SECRET": ""}, {"FACESERVE_JWT_SECRET": "x" * 31}, {PEM: ""}, {PEM: "/none"}, {JWKS: "/none"}],
    ids=str,
)
def test_a_deployment_without_a_usable_key_does_not_start(environment: dict[str, str]) -> None:
    with pytest.raises(MissingSecret, match="FACESERVE_JWT"):
        started(environment)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "text",
        b"\xff\xfe",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        public_pem(ec.generate_private_key(ec.SECP384R1())),
        public_pem(ed448.Ed448PrivateKey.generate()),
        public_pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        SECRET,
    ],
    ids=["nothing", "text", "bytes", "broken", "P-384", "Ed448", "RSA-1024", "a secret"],
)
def test_a_file_without_a_public_key_is_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(MissingSecret, match=PEM):
        started({PEM: file(tmp_path, content)})


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_is_refused(tmp_path: Path, algorithm: str) -> None:
    key = private_key(algorithm)

    with pytest.raises(MissingSecret, match="public"):
        started({PEM: file(tmp_path, private_pem(key))})
    with pytest.raises(MissingSecret, match="public"):
        jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(key, as_dict=True) | {"kid": "a", "alg": algorithm}
        started({JWKS: file(tmp_path, json.dumps({"keys": [jwk]}))})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b"[]",
        b"5",
        b"null",
        b"{}",
        b'{"keys": []}',
        b'{"keys": {}}',
        b'{"keys": [5]}',
        b'{"keys": [{}]}',
        b'{"keys": [{"kty": "oct", "kid": "a"}]}',
        b'{"keys": [{"kty": "RSA", "kid": "a", "n": "AA", "e": "AA"}]}',
    ],
)
def test_a_file_without_a_key_set_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(MissingSecret, match=JWKS):
        started({JWKS: file(tmp_path, content)})


RSA = private_key("RS256")


@pytest.mark.parametrize(
    "jwk",
    [
        secret_jwk("short", "a"),
        public_jwk(RSA, "RS256", None),
        public_jwk(RSA, "RS256", "a") | {"alg": "RS512"},
        public_jwk(RSA, "RS256", "a") | {"alg": "PS256"},
        public_jwk(RSA, "RS256", "a") | {"alg": "HS256"},
        public_jwk(RSA, "RS256", "a") | {"alg": "none"},
        public_jwk(RSA, "RS256", 5),  # type: ignore[arg-type]
        {"kty": "oct", "kid": "a", "k": encoded(public_pem(RSA).encode()), "alg": "HS256"},
        {"kty": "oct", "kid": "a", "k": encoded(b"x" * 64), "alg": "HS512"},
        jwt.get_algorithm_by_name("ES384").to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
        | {"kid": "a"},
    ],
    ids=["short", "no kid", "RS512", "PS256", "HS256", "none", "kid", "PEM as secret", "HS512", "P-384"],
)
def test_one_bad_key_of_a_set_is_not_passed_over(tmp_path: Path, jwk: dict[str, Any]) -> None:
    keys = {"keys": [secret_jwk(SECRET, "good"), jwk]}

    with pytest.raises(MissingSecret, match=JWKS):
        started({JWKS: file(tmp_path, json.dumps(keys))})


def test_a_key_id_is_given_once(tmp_path: Path) -> None:
    keys = {"keys": [secret_jwk(SECRET, "a"), secret_jwk(SECRET + "2", "a")]}

    with pytest.raises(MissingSecret, match=JWKS):
        started({JWKS: file(tmp_path, json.dumps(keys))})


def test_keys_without_an_algorithm_get_the_one_of_their_type(tmp_path: Path) -> None:
    keys = [public_jwk(private_key(algorithm), algorithm, algorithm) for algorithm in ("RS256", "ES256", "EdDSA")]
    for key in keys:
        del key["alg"]

    loaded = load_keys(read_token_secrets({JWKS: file(tmp_path, json.dumps({"keys": keys}))}))

    assert [(key.kid, key.algorithm) for key in loaded] == [(a, a) for a in ("RS256", "ES256", "EdDSA")]


def test_keys_to_encrypt_with_are_passed_over(tmp_path: Path) -> None:
    encrypting = public_jwk(RSA, "RS256", "b") | {"use": "enc", "alg": "RSA-OAEP"}
    signing = public_jwk(RSA, "RS256", "a") | {"use": "sig"}

    loaded = load_keys(read_token_secrets({JWKS: file(tmp_path, json.dumps({"keys": [encrypting, signing]}))}))

    assert [key.kid for key in loaded] == ["a"]


def test_a_key_in_pem_is_no_shared_secret() -> None:
    with pytest.raises(MissingSecret, match="FACESERVE_JWT_SECRET"):
        started({"FACESERVE_JWT_SECRET": public_pem(RSA)})


def test_all_kinds_of_keys_go_together(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(public_pem(RSA))
    environment = {
        "FACESERVE_JWT_SECRET": SECRET,
        PEM: str(tmp_path / "key.pem"),
        JWKS: file(tmp_path, json.dumps({"keys": [public_jwk(RSA, "RS256", "a")]})),
    }

    loaded = load_keys(read_token_secrets(environment))

    assert [(key.kid, key.algorithm) for key in loaded] == [(None, "HS256"), (None, "RS256"), ("a", "RS256")]


def test_no_message_tells_a_secret(tmp_path: Path) -> None:
    secrets = read_token_secrets({"FACESERVE_JWT_SECRET": SECRET})

    with pytest.raises(MissingSecret) as refused:
        read_token_secrets({"FACESERVE_JWT_SECRET": "short-secret"})

    assert SECRET not in repr(secrets) + str(secrets)
    assert "short-secret" not in str(refused.value)


def test_a_database_url_is_needed_and_kept_secret() -> None:
    with pytest.raises(MissingSecret, match="FACESERVE_DATABASE_URL"):
        read_database_url({"FACESERVE_DATABASE_URL": " "})
    url = read_database_url({"FACESERVE_DATABASE_URL": "postgresql://user:password@host/database"})

    assert "password" not in repr(url)
