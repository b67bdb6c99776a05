"""Which tokens are accepted, over HTTP."""

import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from configs.secrets import read_token_secrets
from deployments.http.access.tokens import MAX_TOKEN_BYTES
from tests.deployments.service import Clients, code_of, message_of
from tests.deployments.tokens import (
    SECRET,
    claims,
    forged,
    private_key,
    public_jwk,
    public_pem,
    secret_jwk,
    token,
)

NOW = int(time.time())
HS256 = {"alg": "HS256", "typ": "JWT"}

REFUSED: dict[str, Callable[[], str]] = {
    "an empty token": lambda: "Bearer ",
    "another scheme": lambda: "Basic dGVzdHM6dGVzdHM=",
    "a bare token": lambda: token(),
    "garbage": lambda: "Bearer garbage",
    "three parts of garbage": lambda: "Bearer a.b.c",
    "two tokens": lambda: f"Bearer {token()} {token()}",
    "letters beyond ASCII": lambda: "Bearer \xe9\xff.\xe9.\xe9",
    "an expired token": lambda: f"Bearer {token(exp=NOW - 60)}",
    "an expiry that is no number": lambda: f"Bearer {token(exp='soon')}",
    "an expiry without end": lambda: f"Bearer {forged(HS256, SECRET.encode(), claims(exp=float('inf')))}",
    "an expiry that is a list": lambda: f"Bearer {token(exp=[1])}",
    "a token for later": lambda: f"Bearer {token(nbf=NOW + 600)}",
    "a token from the future": lambda: f"Bearer {token(iat=NOW + 600)}",
    "another secret": lambda: f"Bearer {token('another-secret-of-the-tests-with-32-bytes')}",
    "another algorithm": lambda: f"Bearer {token(SECRET * 2, 'HS512')}",
    "no signature": lambda: f"Bearer {token(None, 'none')}",
    "no signature, in other letters": lambda: f"Bearer {forged({'alg': 'nOnE'}, b'')}",
    "a cut signature": lambda: f"Bearer {token()[:-4]}",
    "another issuer": lambda: f"Bearer {token(iss='somebody')}",
    "another audience": lambda: f"Bearer {token(aud='somebody')}",
    "no expiry": lambda: f"Bearer {token(exp=None)}",
    "no issuer": lambda: f"Bearer {token(iss=None)}",
    "no audience": lambda: f"Bearer {token(aud=None)}",
    "no tenant": lambda: f"Bearer {token(tenant=None)}",
    "a tenant that is no name": lambda: f"Bearer {token(tenant='a:b')}",
    "a tenant that is a number": lambda: f"Bearer {token(tenant=1)}",
    "a tenant with a line break": lambda: f"Bearer {token(tenant=chr(97) + chr(10))}",
    "a list of scopes": lambda: f"Bearer {token(scope=['faces:read'])}",
    "collections that are a text": lambda: f"Bearer {token(collections='staff')}",
    "collections that are numbers": lambda: f"Bearer {token(collections=[1])}",
    "collections that are null": lambda: f"Bearer {forged(HS256, SECRET.encode(), claims() | {'collections': None})}",
    "claims that are a list": lambda: f"Bearer {forged(HS256, SECRET.encode(), '[]')}",
    "claims that are no JSON": lambda: f"Bearer {forged(HS256, SECRET.encode(), '{')}",
    "a header that is a list": lambda: f"Bearer {forged('[]', SECRET.encode())}",
    "an algorithm that is a list": lambda: f"Bearer {forged({'alg': ['HS256']}, SECRET.encode())}",
    "a header nested without end": lambda: f"Bearer {forged('[' * 3000, SECRET.encode())}",
    "an empty key whose id is a path": lambda: f"Bearer {forged(HS256 | {'kid': '../../dev/null'}, b'', claims())}",
    "a token without end": lambda: f"Bearer {token(note='x' * MAX_TOKEN_BYTES)}",
}


@pytest.mark.parametrize("authorization", REFUSED.values(), ids=REFUSED.keys())
async def test_a_bad_token_is_refused(clients: Clients, authorization: Callable[[], str]) -> None:
    api = clients(has_token=False)

    response = await api.get("/v1/collections", headers=[(b"authorization", authorization().encode("latin-1"))])

    assert code_of(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert SECRET not in response.text


async def test_a_request_without_a_token_is_refused(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/collections")

    assert code_of(response) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_second_authorization_header_is_refused(clients: Clients) -> None:
    api = clients(has_token=False)
    good = f"Bearer {token()}".encode()

    response = await api.get("/v1/collections", headers=[(b"authorization", good), (b"authorization", good)])

    assert code_of(response) == (401, "unauthorized")
    assert "one Authorization header" in message_of(response)


async def test_the_refusal_says_what_is_wrong_with_the_token(clients: Clients) -> None:
    api = clients(bearer=token(exp=NOW - 60))

    response = await api.get("/v1/collections")

    assert message_of(response) == "A valid bearer token is required: the token has expired."


async def test_clocks_may_differ_by_the_leeway(clients: Clients) -> None:
    now = int(time.time())
    api = clients(bearer=token(exp=now - 3, iat=now + 5, nbf=now + 5))

    response = await api.get("/v1/collections")

    assert response.status_code == 200


async def test_the_scheme_is_written_in_any_case(clients: Clients) -> None:
    api = clients(has_token=False)

    response = await api.get("/v1/collections", headers={"Authorization": f"bearer {token()}"})

    assert response.status_code == 200


async def test_one_audience_of_several_is_enough(clients: Clients) -> None:
    api = clients(aud=["somebody", "faceserve"])

    response = await api.get("/v1/collections")

    assert response.status_code == 200


async def test_a_body_without_a_token_is_not_read(clients: Clients) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"x")
        yield b"x"

    response = await clients(has_token=False).post("/v1/detect", content=body(), headers={"content-type": "image/jpeg"})

    assert response.status_code == 401
    assert read == []


async def test_bad_parameters_without_a_token_are_not_looked_at(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/collections", params={"limit": "many"})

    assert code_of(response) == (401, "unauthorized")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_in_a_file_verifies(clients: Clients, tmp_path: Path, algorithm: str) -> None:
    key = private_key(algorithm)
    (tmp_path / "key.pem").write_text(public_pem(key))
    secrets = read_token_secrets({"FACESERVE_JWT_PUBLIC_KEY_FILE": str(tmp_path / "key.pem")})

    accepted = await clients(secrets=secrets, bearer=token(key, algorithm)).get("/v1/collections")
    refused = await clients(secrets=secrets, bearer=token(private_key(algorithm), algorithm)).get("/v1/collections")

    assert accepted.status_code == 200
    assert code_of(refused) == (401, "unauthorized")


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
async def test_a_public_key_is_no_shared_secret(clients: Clients, tmp_path: Path, algorithm: str) -> None:
    key = private_key(algorithm)
    pem = public_pem(key)
    (tmp_path / "key.pem").write_text(pem)
    keys = {"keys": [public_jwk(key, algorithm, "one")]}
    (tmp_path / "keys.json").write_text(json.dumps(keys))
    secrets = read_token_secrets(
        {
            "FACESERVE_JWT_SECRET": SECRET,
            "FACESERVE_JWT_PUBLIC_KEY_FILE": str(tmp_path / "key.pem"),
            "FACESERVE_JWT_JWKS_FILE": str(tmp_path / "keys.json"),
        }
    )

    for header in (HS256, HS256 | {"kid": "one"}):
        response = await clients(secrets=secrets, bearer=forged(header, pem.encode())).get("/v1/collections")

        assert code_of(response) == (401, "unauthorized")


async def test_a_key_without_a_name_verifies_whatever_its_issuer_calls_it(clients: Clients, tmp_path: Path) -> None:
    rsa = private_key("RS256")
    (tmp_path / "key.pem").write_text(public_pem(rsa))
    secrets = read_token_secrets(
        {"FACESERVE_JWT_SECRET": SECRET, "FACESERVE_JWT_PUBLIC_KEY_FILE": str(tmp_path / "key.pem")}
    )

    for key, algorithm in ((SECRET, "HS256"), (rsa, "RS256")):
        response = await clients(secrets=secrets, bearer=token(key, algorithm, kid="theirs")).get("/v1/collections")

        assert response.status_code == 200, algorithm


async def test_an_algorithm_is_bound_to_its_key(clients: Clients, tmp_path: Path) -> None:
    first, second = private_key("RS256"), private_key("ES256")
    (tmp_path / "keys.json").write_text(
        json.dumps({"keys": [public_jwk(first, "RS256", "one"), public_jwk(second, "ES256", "two")]})
    )
    secrets = read_token_secrets({"FACESERVE_JWT_JWKS_FILE": str(tmp_path / "keys.json")})

    for bearer in (token(first, "RS512", kid="one"), token(second, "ES256", kid="one"), token(first, "RS256")):
        response = await clients(secrets=secrets, bearer=bearer).get("/v1/collections")

        assert code_of(response) == (401, "unauthorized")


async def test_keys_of_a_set_rotate_by_their_id(clients: Clients, tmp_path: Path) -> None:
    rsa, okp = private_key("RS256"), private_key("EdDSA")
    by_kid: dict[str, tuple[Any, str, dict[str, Any]]] = {
        "old": (SECRET, "HS256", secret_jwk(SECRET, "old")),
        "new": (rsa, "RS256", public_jwk(rsa, "RS256", "new")),
        "next": (okp, "EdDSA", public_jwk(okp, "EdDSA", "next")),
    }
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [jwk for _, _, jwk in by_kid.values()]}))
    secrets = read_token_secrets({"FACESERVE_JWT_JWKS_FILE": str(tmp_path / "keys.json")})

    for kid, (key, algorithm, _) in by_kid.items():
        response = await clients(secrets=secrets, bearer=token(key, algorithm, kid=kid)).get("/v1/collections")

        assert response.status_code == 200, kid

    (tmp_path / "keys.json").write_text(json.dumps({"keys": [by_kid["next"][2]]}))
    rotated = read_token_secrets({"FACESERVE_JWT_JWKS_FILE": str(tmp_path / "keys.json")})
    response = await clients(secrets=rotated, bearer=token(SECRET, kid="old")).get("/v1/collections")

    assert code_of(response) == (401, "unauthorized")
