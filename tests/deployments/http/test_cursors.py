"""Lists in pages, and the cursors that lead from one to the next."""

import base64
import hashlib
import hmac
import json
from typing import Any

import httpx
import pytest

from deployments.http.cursors import CursorCodec, InvalidCursor
from tests.deployments.colours import drawing
from tests.deployments.service import Clients, code_of, create_collection, enroll, pages

PERSONS = "/v1/collections/staff/persons"


def ids(found: Any) -> list[str]:
    return [item["id"] for page in found for item in page]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
async def test_the_pages_of_every_list_are_complete_and_without_repeats(api: httpx.AsyncClient, limit: int) -> None:
    for id in ("b", "a", "d", "c"):
        await create_collection(api, id)
        await enroll(api, drawing(0), id=id)
    added = await enroll(api, *[drawing(hue) for hue in range(4)], id="e")

    collections = await pages(api, "/v1/collections", "collections", limit)
    persons = await pages(api, PERSONS, "persons", limit)
    faces = await pages(api, f"{PERSONS}/e/faces", "faces", limit)

    assert ids(collections) == ["a", "b", "c", "d", "staff"]
    assert ids(persons) == ["a", "b", "c", "d", "e"]
    assert ids(faces) == [face["id"] for face in added["faces"]]
    assert [len(page) for page in persons] == [limit] * (5 // limit) + ([5 % limit] if 5 % limit else [])


async def test_a_list_can_be_empty(api: httpx.AsyncClient, clients: Clients) -> None:
    await enroll(api, drawing(0), id="ada")
    await api.delete(f"{PERSONS}/ada/faces", params={"all": "true"})

    assert await pages(clients(tenant="nobody"), "/v1/collections", "collections", 10) == [[]]
    assert await pages(api, f"{PERSONS}/ada/faces", "faces", 10) == [[]]


async def test_what_is_added_and_deleted_meanwhile_repeats_nothing(api: httpx.AsyncClient) -> None:
    for id in ("b", "d", "f"):
        await enroll(api, drawing(0), id=id)
    first = (await api.get(PERSONS, params={"limit": 2})).json()

    await enroll(api, drawing(0), id="a")
    await enroll(api, drawing(0), id="e")
    await api.delete(f"{PERSONS}/d")
    second = (await api.get(PERSONS, params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert ids([first["persons"]]) == ["b", "d"]
    assert ids([second["persons"]]) == ["e", "f"]


async def test_a_page_holds_only_granted_collections(clients: Clients) -> None:
    everything = clients()
    for id in ("a1", "b1", "a2", "b2", "a3"):
        await create_collection(everything, id)

    found = await pages(clients(collections=["a*"]), "/v1/collections", "collections", 2)

    assert [[item["id"] for item in page] for page in found] == [["a1", "a2"], ["a3"]]


async def test_a_cursor_holds_for_its_own_list_alone(clients: Clients, api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")
    for id in ("a", "b"):
        await enroll(api, drawing(0), drawing(1), id=id)
        await enroll(api, drawing(0), id=id, collection="guests")
    lists = ["/v1/collections", PERSONS, f"{PERSONS}?search=", f"{PERSONS}?search=a", "/v1/collections/guests/persons"]
    lists += [f"{PERSONS}/a/faces", f"{PERSONS}/b/faces"]
    cursors = {}
    for path in ("/v1/collections", PERSONS, "/v1/collections/guests/persons", f"{PERSONS}/a/faces"):
        cursors[path] = (await api.get(path, params={"limit": 1})).json()["next_cursor"]

    for source, cursor in cursors.items():
        for target in lists:
            response = await api.get(f"{target}{'&' if '?' in target else '?'}cursor={cursor}")

            if target.removesuffix("?search=") == source:
                assert response.status_code == 200
            else:
                assert code_of(response) == (400, "invalid_cursor"), (source, target)


async def test_a_cursor_holds_for_its_own_tenant_alone(clients: Clients, api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")
    cursor = (await api.get("/v1/collections", params={"limit": 1})).json()["next_cursor"]

    response = await clients(tenant="stranger").get("/v1/collections", params={"cursor": cursor})

    assert code_of(response) == (400, "invalid_cursor")


async def test_a_cursor_of_another_search_is_refused(api: httpx.AsyncClient) -> None:
    for id in ("a1", "a2", "b1"):
        await enroll(api, drawing(0), id=id)
    cursor = (await api.get(PERSONS, params={"limit": 1, "search": "a"})).json()["next_cursor"]

    following = await api.get(PERSONS, params={"search": "a", "cursor": cursor})
    other = await api.get(PERSONS, params={"search": "b", "cursor": cursor})

    assert ids([following.json()["persons"]]) == ["a2"]
    assert code_of(other) == (400, "invalid_cursor")


@pytest.mark.parametrize("cursor", ["", "x", "staff", "é", "a" * 5000, "=", "%00", "AAAA" * 10, "😀"])
async def test_a_cursor_that_was_not_given_out_is_refused(api: httpx.AsyncClient, cursor: str) -> None:
    response = await api.get("/v1/collections", params={"cursor": cursor})

    assert code_of(response) == (400, "invalid_cursor")


def test_a_changed_cursor_is_refused() -> None:
    codec = CursorCodec(b"secret")
    cursor = codec.encode("persons:a:staff", "ada")
    signed = bytearray(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))

    for place in range(len(signed)):
        changed = signed.copy()
        changed[place] ^= 1
        with pytest.raises(InvalidCursor):
            codec.decode(base64.urlsafe_b64encode(changed).decode(), "persons:a:staff")


def test_a_cursor_of_another_secret_is_refused() -> None:
    cursor = CursorCodec(b"secret").encode("list", "ada")

    with pytest.raises(InvalidCursor):
        CursorCodec(b"other").decode(cursor, "list")


@pytest.mark.parametrize(
    "place", [b"", b"{", b"5", b"null", b"[]", b'["list"]', b'["list", 5]', b'["list", null]', b"\xff"]
)
def test_a_cursor_that_somebody_else_signed_makes_no_failure(place: bytes) -> None:
    key = hashlib.sha256(b"faceserve cursor v1\0" + b"public").digest()
    signature = hmac.new(key, place, hashlib.sha256).digest()[:16]

    with pytest.raises(InvalidCursor):
        CursorCodec(b"public").decode(base64.urlsafe_b64encode(signature + place).decode(), "list")


@pytest.mark.parametrize("after", ["ada", "ключ", "", "a" * 500, "\x00", '"', "\ud800"])
def test_a_cursor_leads_to_where_it_was_made(after: str) -> None:
    codec = CursorCodec(b"secret")

    cursor = codec.encode("list", after)

    assert codec.decode(cursor, "list") == after
    assert json.dumps(after) not in cursor
    assert codec.decode(None, "list") is None
