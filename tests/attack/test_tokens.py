"""Forged tokens over the wire: none of them is let in, and none makes a failure."""

import base64
import json
import socket
import time
from collections.abc import Callable

import pytest

from tests.attack.target import Target
from tests.attack.wire import exchange, request
from tests.deployments.tokens import encoded, forged, private_key, public_pem, token

pytestmark = pytest.mark.cluster

GUESSED = b"secret-secret-secret-secret-secret"
KIDS = {
    "path": "../../../../../../dev/null",
    "absolute": "/proc/sys/kernel/randomize_va_space",
    "sql": "x' union select 'secret-secret-secret-secret-secret' -- ",
    "url": "http://127.0.0.1:1/jwks.json",
    "shell": "k;sleep 9|`sleep 9`",
    "nul": "k\0",
    "list": ["a", "b"],
    "object": {"a": "b"},
    "number": 0,
    "true": True,
    "huge": "k" * 5000,
}


def unsigned(algorithm: str) -> Callable[[Target], str]:
    def make(target: Target) -> str:
        body = target.signer.token(tenant=target.tenant).split(".")[1]
        return f"{encoded(json.dumps({'typ': 'JWT', 'alg': algorithm}).encode())}.{body}."

    return make


def signed_with(key: bytes, kid: str) -> Callable[[Target], str]:
    """A token signed with what a service would read that takes the `kid` for the name of a file."""
    return lambda target: forged({"typ": "JWT", "alg": "HS256", "kid": kid}, key, good_claims(target))


def good_claims(target: Target) -> str:
    return base64.urlsafe_b64decode(target.signer.token(tenant=target.tenant).split(".")[1] + "==").decode()


def signed_by_nobody(header: dict[str, object]) -> Callable[[Target], str]:
    return lambda target: forged({"typ": "JWT", "alg": "HS256"} | header, GUESSED)


def changed(**claims: object) -> Callable[[Target], str]:
    """A token that the right key signed, with claims that it must not have."""
    return lambda target: target.signer.token(**({"tenant": target.tenant} | claims))


def with_other_claims(target: Target) -> str:
    """The signature of a good token under the claims of another tenant."""
    head, _, signature = target.signer.token(tenant=target.tenant).split(".")
    _, body, _ = target.signer.token(tenant="somebody-else").split(".")
    return f"{head}.{body}.{signature}"


def own_key(target: Target) -> str:
    """A token signed by a key that it brings with it."""
    key = private_key("ES256")
    return token(key, "ES256", kid="mine")


def key_confusion(change: Callable[[str], str]) -> Callable[[Target], str]:
    """The service's own public key, as it may be written, used as if it were the shared secret."""

    def make(target: Target) -> str:
        pem = target.public_key or public_pem(private_key("RS256"))
        return forged({"typ": "JWT", "alg": "HS256"}, change(pem).encode(), good_claims(target))

    return make


FORGERIES: dict[str, Callable[[Target], str]] = {
    **{f"alg {name}": unsigned(name) for name in ("none", "None", "NONE", "nOnE", "", "HS256", "RS256", "ES256")},
    **{f"kid {name}": signed_by_nobody({"kid": kid}) for name, kid in KIDS.items()},
    "jku": signed_by_nobody({"jku": "http://127.0.0.1:1/jwks.json"}),
    "x5u": signed_by_nobody({"x5u": "http://127.0.0.1:1/cert.pem"}),
    "jwk": signed_by_nobody({"jwk": {"kty": "oct", "k": encoded(GUESSED)}}),
    "crit": signed_by_nobody({"crit": ["exp"]}),
    "zip": signed_by_nobody({"zip": "DEF"}),
    "b64": signed_by_nobody({"b64": False, "crit": ["b64"]}),
    "another key": signed_by_nobody({}),
    "own key": own_key,
    "key confusion": key_confusion(str),
    "key confusion, stripped": key_confusion(str.strip),
    "key confusion, CRLF": key_confusion(lambda pem: pem.replace("\n", "\r\n")),
    "empty key of a kid": signed_with(b"", "../../../../../../dev/null"),
    "known key of a kid": signed_with(b"2\n", "/proc/sys/kernel/randomize_va_space"),
    "claims swapped": with_other_claims,
    "expired": changed(exp=int(time.time()) - 3600),
    "expired as text": changed(exp="tomorrow"),
    "not yet valid": changed(nbf=int(time.time()) + 3600),
    "issued in the future": changed(iat=int(time.time()) + 3600),
    "no expiry": changed(exp=None),
    "wrong audience": changed(aud="others"),
    "wrong audiences": changed(aud=["others", "more"]),
    "no audience": changed(aud=None),
    "wrong issuer": changed(iss="others"),
    "no issuer": changed(iss=None),
    "no tenant": changed(tenant=None),
    "tenant of a path": changed(tenant="../default"),
    "tenant of SQL": changed(tenant="a' or '1'='1"),
    "tenants in a list": changed(tenant=["default"]),
    "scope as a list": changed(scope=["faces:read"]),
    "collections as text": changed(collections="*"),
    "collections of numbers": changed(collections=[1]),
    "too long": changed(sub="x" * 9000),
    "two parts": lambda target: target.signer.token(tenant=target.tenant).rsplit(".", 1)[0],
    "four parts": lambda target: target.signer.token(tenant=target.tenant) + ".x",
    "not base64": lambda target: "!!!.???.***",
    "deep header": lambda target: forged("[" * 2000 + "]" * 2000, GUESSED),
    "header that is a list": lambda target: forged("[]", GUESSED),
    "claims that are a list": lambda target: forged(json.dumps({"alg": "HS256"}), GUESSED, "[]"),
}


def test_no_url_in_a_token_is_asked_for_keys(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/keys"
        for header in ({"jku": url}, {"x5u": url}, {"kid": url}):
            with target.bearing(signed_by_nobody(header)(target)) as client:
                assert client.get("/v1/collections").status_code == 401

        listener.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_token_is_not_let_in(target: Target, forgery: str) -> None:
    with target.bearing(FORGERIES[forgery](target)) as client:
        answer = client.get("/v1/collections")

    assert answer.status_code == 401, answer.text
    assert answer.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("scope", ["", "faces:READ", "faces:re\u0430d", "faces:read\u200b", "faces", "*", "faces:*"])
def test_a_scope_that_only_looks_right_grants_nothing(target: Target, scope: str) -> None:
    with target.client(scope=scope) as client:
        answer = client.get("/v1/collections")

    assert answer.status_code == 403, answer.text


def test_a_claim_that_stands_twice_counts_as_the_parser_reads_it_and_never_as_two(target: Target) -> None:
    twice = '{"alg": "none", "alg": "HS256"}'
    with target.bearing(forged(twice, GUESSED)) as client:
        assert client.get("/v1/collections").status_code == 401


@pytest.mark.parametrize(
    "lines",
    [
        (b"Authorization: Bearer %(good)s", b"Authorization: Bearer %(bad)s"),
        (b"Authorization: Bearer %(bad)s", b"Authorization: Bearer %(good)s"),
        (b"Authorization: Bearer %(good)s", b"authorization: Bearer %(good)s"),
        (b"Authorization: Bearer %(good)s, Bearer %(good)s",),
        (b"Authorization: Basic %(good)s",),
        (b"Authorization: %(good)s",),
        (b"Authorization: Bearer",),
        (b"Authorization: Bearer \xff\xfe",),
        (b"Authorization: Bearer %(good)s\xff",),
        (b"X-Authorization: Bearer %(good)s",),
        (b"Proxy-Authorization: Bearer %(good)s",),
        (b"Cookie: Authorization=Bearer %(good)s; token=%(good)s",),
        (b"X-Original-URL: /v1/health", b"X-Rewrite-URL: /v1/health"),
        (b"X-HTTP-Method-Override: OPTIONS",),
        (b"Connection: close, Authorization",),
    ],
)
def test_the_header_is_one_bearer_token_and_nothing_else(target: Target, lines: tuple[bytes, ...]) -> None:
    good = target.signer.token(tenant=target.tenant).encode()
    told = {b"good": good, b"bad": FORGERIES["another key"](target).encode()}

    reply = exchange(target.url, request(target.url, path="/v1/collections", headers=[line % told for line in lines]))

    assert reply.statuses == [401], reply.received[:500]


def test_a_token_in_the_query_is_none(target: Target) -> None:
    good = target.signer.token(tenant=target.tenant)
    with target.bearing(None) as client:
        for name in ("access_token", "token", "authorization", "api_key"):
            assert client.get("/v1/collections", params={name: good}).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_good_token_is_let_in(target: Target, scheme: str) -> None:
    """Without this, all of the above would pass on a service that lets nobody in."""
    with target.bearing(None) as client:
        good = target.signer.token(tenant=target.tenant)
        assert client.get("/v1/collections", headers={"Authorization": f"{scheme} {good}"}).status_code == 200


def test_a_changed_bit_of_the_signature_is_noticed(target: Target) -> None:
    head, body, signature = target.signer.token(tenant=target.tenant).split(".")
    sealed = base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))

    for place in range(0, len(sealed), max(1, len(sealed) // 8)):
        bent = bytearray(sealed)
        bent[place] ^= 1
        with target.bearing(f"{head}.{body}.{encoded(bytes(bent))}") as client:
            assert client.get("/v1/collections").status_code == 401
