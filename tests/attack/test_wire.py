"""Requests that no library would send: headers without end, lengths that lie, two requests in one."""

import gzip
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.attack.target import Target
from tests.attack.wire import exchange, request

pytestmark = pytest.mark.cluster

CLOSE = b"Connection: close"
REFUSED = (400, 401, 403, 404, 405, 408, 411, 413, 414, 415, 417, 422, 431, 501, 505)


def bearer(target: Target) -> bytes:
    return b"Authorization: Bearer " + target.signer.token(tenant=target.tenant).encode()


def still_answers(target: Target) -> bool:
    """Tell whether the service is as it was."""
    with target.client() as client:
        return client.get("/v1/collections").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [b"X-%d: y" % number for number in range(5000)],
        [b"X-Long: " + b"y" * 200_000],
        [b"X-" + b"n" * 100_000 + b": y"],
        [b"Cookie: " + b"a=b; " * 20_000],
        [b"Accept: " + b"*/*," * 20_000],
        [b"Content-Type: multipart/form-data; boundary=" + b"b" * 30_000, b"Content-Length: 0"],
        [b"X : y"],
        [b"X\0: y"],
        [b"X: \0"],
        [b": y"],
        [b"no colon at all"],
        [b" folded: y"],
    ],
    ids=lambda headers: headers[0][:14].decode(),
)
def test_headers_without_measure_are_refused_or_passed_over(target: Target, headers: list[bytes]) -> None:
    reply = exchange(target.url, request(target.url, path="/v1/collections", headers=[bearer(target), CLOSE, *headers]))

    assert reply.is_over
    assert all(status in (200, *REFUSED) for status in reply.statuses), reply.received[:300]
    assert still_answers(target)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /v1/collections HTTP/9.9",
        b"GET /v1/collections",
        b"GET  /v1/collections  HTTP/1.1",
        b"G\0T /v1/collections HTTP/1.1",
        b"GET http://other.test/v1/collections HTTP/1.1",
        b"CONNECT 127.0.0.1:22 HTTP/1.1",
        b"TRACE /v1/collections HTTP/1.1",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1",
        b"GET /v1/\xff\xfe HTTP/1.1",
        b"PRI * HTTP/2.0",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 1000,
    ],
    ids=lambda line: line[:24].decode("latin-1"),
)
def test_a_line_that_is_no_request_of_ours_is_refused(target: Target, line: bytes) -> None:
    reply = exchange(target.url, line + b"\r\nHost: x\r\n" + CLOSE + b"\r\n\r\n")

    assert reply.is_over
    assert all(status in REFUSED for status in reply.statuses), reply.received[:300]
    assert still_answers(target)


SMUGGLED = b"GET /v1/health?smuggled HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    "headers",
    [
        [b"Content-Length: %d" % (len(SMUGGLED) + 5), b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: xchunked", b"Content-Length: 5"],
        [b"Transfer-Encoding : chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding:\tchunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: identity, chunked", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length: 0"],
        [b"Content-Length: 0", b"Content-Length: 5"],
        [b"Content-Length: 5, 0"],
        [b"Content-Length: +5"],
        [b"Content-Length: 5 "],
        [b"Content-Length: 0x5"],
        [b"Content-Length: -5"],
        [b"X: y\nContent-Length: 5"],
        [b"X: y\rContent-Length: 5"],
    ],
    ids=lambda headers: " + ".join(line.decode() for line in headers),
)
def test_a_second_request_inside_the_first_has_no_token_of_the_first(target: Target, headers: list[bytes]) -> None:
    """However the lengths are read, nothing that follows is answered as the holder of the first token's."""
    inner = SMUGGLED.replace(b"/v1/health?smuggled", b"/v1/collections")
    body = b"0\r\n\r\n" + inner
    lines = [bearer(target), b"Content-Type: application/json", *headers]

    reply = exchange(target.url, request(target.url, "POST", "/v1/collections", lines, body))

    assert reply.is_over
    assert 200 not in reply.statuses, reply.received[:600]
    assert 201 not in reply.statuses, reply.received[:600]
    assert still_answers(target)


@pytest.mark.parametrize("length", [b"99999999999", b"9" * 30, b"41943041"])
def test_a_body_that_claims_to_be_over_the_limit_is_refused_before_it_is_sent(target: Target, length: bytes) -> None:
    lines = [bearer(target), b"Content-Type: image/jpeg", b"Content-Length: " + length, CLOSE]

    reply = exchange(target.url, request(target.url, "POST", "/v1/detect", lines, b"\xff\xd8\xff"))

    assert reply.statuses in ([413], [400]), reply.received[:300]


def endless(target: Target, megabytes: int) -> Iterator[bytes]:
    """Give a chunked body that goes on until the server stops it."""
    lines = [bearer(target), b"Content-Type: image/jpeg", b"Transfer-Encoding: chunked", CLOSE]
    yield request(target.url, "POST", "/v1/detect", lines)
    chunk = b"100000\r\n" + bytes(2**20) + b"\r\n"
    yield from (chunk for _ in range(megabytes))


def test_a_chunked_body_without_end_is_cut_off_at_the_limit(target: Target) -> None:
    reply = exchange(target.url, endless(target, 64))

    assert reply.statuses in ([413], []), reply.received[:300]  # a server that stops reading may reset the connection
    assert still_answers(target)


@pytest.mark.parametrize("size", [b"zz", b"-1", b"1" * 5000, b"5;" + b"x" * 50_000])
def test_a_chunk_of_no_sound_size_is_refused(target: Target, size: bytes) -> None:
    lines = [bearer(target), b"Content-Type: image/jpeg", b"Transfer-Encoding: chunked", CLOSE]

    reply = exchange(target.url, request(target.url, "POST", "/v1/detect", lines, size + b"\r\nhello\r\n0\r\n\r\n"))

    assert reply.is_over
    assert all(status in REFUSED for status in reply.statuses), reply.received[:300]
    assert still_answers(target)


def test_a_request_that_waits_for_permission_to_send_too_much_is_refused(target: Target) -> None:
    lines = [bearer(target), b"Content-Type: image/jpeg", b"Content-Length: 50000000", b"Expect: 100-continue", CLOSE]

    reply = exchange(target.url, request(target.url, "POST", "/v1/detect", lines))

    assert reply.statuses[-1] == 413, reply.received[:300]


def test_an_upgrade_to_a_socket_or_to_another_protocol_is_refused(target: Target) -> None:
    key = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    for lines in (
        [b"Connection: Upgrade", b"Upgrade: websocket", key, b"Sec-WebSocket-Version: 13"],
        [b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"],
    ):
        reply = exchange(target.url, request(target.url, path="/v1/collections", headers=lines))
        assert 101 not in reply.statuses, reply.received[:300]
        assert 200 not in reply.statuses, reply.received[:300]
    assert still_answers(target)


def test_a_compressed_body_is_not_unpacked(target: Target) -> None:
    """So that there is no bomb in it."""
    bomb = gzip.compress(bytes(200 * 2**20))
    started = time.monotonic()
    with target.client() as client:
        for encoding in ("gzip", "deflate", "br", "zstd"):
            answer = client.post(
                "/v1/detect", content=bomb, headers={"Content-Type": "image/png", "Content-Encoding": encoding}
            )
            assert answer.status_code in (400, 415, 422), answer.text
            as_json = client.post(
                "/v1/collections",
                content=bomb,
                headers={"Content-Type": "application/json", "Content-Encoding": encoding},
            )
            assert as_json.status_code in (400, 415), as_json.text
    assert time.monotonic() - started < 40


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=" + "b" * 300,
        'multipart/form-data; boundary="\\"',
        "multipart/form-data; boundary=a; boundary=b",
        "image/jpeg; charset=" + "x" * 3000,
        "application/json; charset=utf-7",
        "text/html",
        "application/x-www-form-urlencoded",
        "application/x-python-pickle",
        "/",
    ],
)
def test_a_body_of_a_doubtful_type_is_refused(target: Target, content_type: str) -> None:
    with target.client() as client:
        answer = client.post("/v1/detect", content=b"--a\r\n\r\n", headers={"Content-Type": content_type})

    assert answer.status_code in (400, 415, 422), answer.text


def parts(count: int, line: bytes) -> bytes:
    return b"".join(b"--b\r\n" + line + b"\r\n\r\nx\r\n" for _ in range(count)) + b"--b--\r\n"


@pytest.mark.parametrize(
    "body",
    [
        parts(5000, b'Content-Disposition: form-data; name="image"; filename="x"'),
        parts(5000, b'Content-Disposition: form-data; name="x"'),
        parts(1, b'Content-Disposition: form-data; name="image"; filename="' + b"f" * 100_000 + b'"'),
        parts(1, b'Content-Disposition: form-data; name="image"; filename="../../etc/cron.d/x\\0"'),
        parts(1, b"X-Header: " + b"h" * 100_000),
        parts(1, b'Content-Disposition: form-data; name="\xff\xfe"'),
        b"--b\r\n" * 20_000,
    ],
    ids=["files", "fields", "long filename", "path", "long header", "no text", "boundaries"],
)
def test_a_form_without_measure_is_refused(target: Target, body: bytes) -> None:
    with target.client() as client:
        answer = client.post("/v1/detect", content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})

    assert answer.status_code in (400, 413, 415, 422), answer.text


def test_the_documentation_takes_nothing_from_the_request(target: Target) -> None:
    answer = httpx.get(
        f"{target.url}/docs",
        params={"url": "https://other.test/evil.json", "configUrl": "https://other.test"},
        headers={"X-Forwarded-Host": "other.test", "X-Forwarded-Prefix": "/evil"},
        trust_env=False,
    )

    assert answer.status_code in (200, 404)
    assert "other.test" not in answer.text
    assert "/evil" not in answer.text
