"""Text that would be something else in SQL, in a path, in a log or in a page stays text, or is refused."""

import base64
import string
from collections.abc import Iterator

import httpx
import pytest

from deployments.bounds import JSON_BYTES
from tests.attack.target import Target
from tests.deployments import pictures

pytestmark = pytest.mark.cluster

INJECTIONS = [
    "'; drop table persons; --",
    '" or ""="',
    "' or '1'='1",
    "\\'; select pg_sleep(20); --",
    "$1 $2 $$ $a$",
    "%' or id like '%",
    "%s %d %n {0} {__class__} ${jndi:ldap://127.0.0.1/x}",
    "../../../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "<script>alert(1)</script>",
    "line\r\nX-Injected: yes\r\n\r\n<html>",
    "\x1b[31mred\x1b[0m",
    "\u202eevil\u202c \u2066x\u2069 \ufeff",
    "👩\u200d🚀 ﷽ \U0010ffff",
    "=cmd|' /C calc'!A0",
]
IDS = ["..", ".", "a/b", "a'b", 'a"b', "a b", "a;b", "a%2fb", "a\nb", "\u0430", "-a", "x" * 65, "a\\b", "a$b", "*"]


@pytest.fixture
def crew(target: Target, gallery: str) -> Iterator[httpx.Client]:
    with target.client() as client:
        yield client


@pytest.mark.parametrize("text", INJECTIONS)
def test_names_and_metadata_come_back_as_they_were_sent(crew: httpx.Client, text: str) -> None:
    sent = {"name": text[:200], "metadata": {"note": text, text: [text]}}

    answer = crew.patch("/v1/collections/crew/persons/eileen", json=sent)
    listed = crew.get("/v1/collections/crew/persons", params={"search": text})
    read = crew.get("/v1/collections/crew/persons/eileen")

    assert answer.status_code == 200, answer.text
    assert read.json()["person"] | sent == read.json()["person"]
    assert [person["id"] for person in listed.json()["persons"]] == ["eileen"]  # found as text, not as a pattern
    assert "x-injected" not in read.headers


@pytest.mark.parametrize("text", ["%", "_", "eilee_", "%een", "\\", "'", "' or true --"])
def test_a_search_is_for_text_and_not_for_a_pattern(crew: httpx.Client, text: str) -> None:
    crew.patch("/v1/collections/crew/persons/eileen", json={"name": "Eileen", "metadata": {}}).raise_for_status()

    assert crew.get("/v1/collections/crew/persons", params={"search": text}).json()["persons"] == []


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_a_plain_word(crew: httpx.Client, name: str) -> None:
    answer = crew.post("/v1/collections", json={"id": name, "name": "X"})

    assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("text", ["a\0b", "\0"])
@pytest.mark.parametrize("place", ["name", "metadata", "description"])
def test_a_nul_is_refused_where_postgresql_could_not_keep_it(crew: httpx.Client, text: str, place: str) -> None:
    value = {"x": text} if place == "metadata" else text

    assert crew.patch("/v1/collections/crew/persons/eileen", json={place: value}).status_code == 400


@pytest.mark.parametrize("path", ["%00", "%ff", "crew/persons/%ed%a0%80"])
def test_a_path_that_is_no_text_is_refused(crew: httpx.Client, path: str) -> None:
    assert crew.get(f"/v1/collections/{path}").status_code in (400, 404)


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\xff\xfe"}',
        b'{"name": "\xed\xa0\x80"}',
        b'{"name": "\\ud800"}',
        '{"name": "x"}'.encode("utf-16"),
        b'{"name": NaN}',
        b'{"name": ' + b"[" * 100_000,
        b'{"name": "x", "name": "y"',
        b'{"metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
        b'{"metadata": {"n": 1' + b"0" * 6000 + b"}}",
        b'{"metadata": {"n": 1e999999}}',
        b"",
        b"null",
        b'"text"',
        b'{"__proto__": {"a": 1}, "constructor": 1}',
    ],
)
def test_a_body_that_is_no_sound_json_is_refused(crew: httpx.Client, body: bytes) -> None:
    answer = crew.patch(
        "/v1/collections/crew/persons/eileen", content=body, headers={"Content-Type": "application/json"}
    )

    assert answer.status_code == (413 if len(body) > JSON_BYTES else 400), answer.text


def test_a_cursor_that_was_changed_in_any_place_is_refused(crew: httpx.Client, target: Target) -> None:
    for name in ("page-1", "page-2"):
        crew.post("/v1/collections", json={"id": name, "name": name}).raise_for_status()
    cursor = crew.get("/v1/collections", params={"limit": 1}).json()["next_cursor"]
    other = target.client(tenant=target.tenant_called("c"))
    sealed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    bent = [bytes([*sealed[:place], sealed[place] ^ 1, *sealed[place + 1 :]]) for place in range(len(sealed))]
    tampered = [base64.urlsafe_b64encode(each).decode() for each in bent]
    tampered += ["x", "' or 1=1", "../..", "\0", "A" * 5000, cursor[:-4], cursor + string.ascii_letters, cursor[::-1]]

    assert crew.get("/v1/collections", params={"limit": 1, "cursor": cursor}).status_code == 200
    assert {crew.get("/v1/collections", params={"cursor": each}).status_code for each in tampered} == {400}
    assert crew.get("/v1/collections/crew/persons", params={"cursor": cursor}).status_code == 400
    with other:
        assert other.get("/v1/collections", params={"cursor": cursor}).status_code == 400


@pytest.mark.parametrize(
    ("key", "statuses"),
    [
        ("", {400}),
        ("k" * 129, {400}),
        ("a b\tc", {400}),
        ("'; drop table idempotency_keys; --", {400}),  # it has spaces
        ("';drop/**/table/**/idempotency_keys;--", {200}),
        ("k\u00e9y".encode("latin-1"), {400}),
        (b"\xff", {400}),
    ],
)
def test_an_idempotency_key_is_one_plain_word(crew: httpx.Client, key: str | bytes, statuses: set[int]) -> None:
    answer = crew.patch(
        "/v1/collections/crew/persons/eileen", json={"name": "Eileen"}, headers=[("Idempotency-Key", key)]
    )

    assert answer.status_code in statuses, answer.text


@pytest.mark.parametrize(
    ("method", "path", "name", "good", "bad"),
    [
        ("GET", "/v1/collections", "limit", "1", ["-1", "0", "1e3", "9" * 21, "NaN", "\u0661", "1;2", "0x10"]),
        ("POST", "/v1/collections/crew/search", "limit", "1", ["-1", "0", "9" * 20, "1.5", "true", "[]", "101"]),
        ("POST", "/v1/collections/crew/identify", "max_faces", "1", ["-1", "0", "9" * 20, "1.5", "true", "[]"]),
        (
            "POST",
            "/v1/collections/crew/search",
            "threshold",
            "0.5",
            ["NaN", "Infinity", "-Infinity", "1e400", "2", "-2", "0,5"],
        ),
    ],
)
def test_a_number_out_of_range_is_refused(
    crew: httpx.Client, method: str, path: str, name: str, good: str, bad: list[str]
) -> None:
    body = {} if method == "GET" else {"files": {"image": pictures.encoded(pictures.astronaut())}}

    assert crew.request(method, path, params={name: good}, **body).status_code == 200
    for value in bad:
        answer = crew.request(method, path, params={name: value}, **body)

        assert answer.status_code == 400, f"{value}: {answer.text}"
        assert answer.json()["error"]["message"].startswith(f"The request is malformed: {name}"), answer.text
