"""Retries under an `Idempotency-Key`: the first answer again, and nothing written twice."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import Clients, base64_json, code_of, create_collection, enroll, multipart, raw

PERSONS = "/v1/collections/staff/persons"
KEY = {"idempotency-key": "once"}


def without_id(response: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in response.json().items() if name != "request_id"}


async def person_count(api: httpx.AsyncClient) -> int:
    return int((await api.get("/v1/collections/staff")).json()["collection"]["person_count"])


@pytest.mark.parametrize(
    "arguments",
    [
        multipart("images", drawing(0), b"garbage", name="Ada"),
        base64_json("images", drawing(0), b"garbage", many=True, name="Ada", metadata={"a": 1}),
    ],
    ids=["multipart", "json"],
)
async def test_a_retried_enrolment_has_the_same_answer(api: httpx.AsyncClient, arguments: dict[str, Any]) -> None:
    first = await api.post(PERSONS, headers=KEY, **arguments)
    second = await api.post(PERSONS, headers=KEY, **arguments)

    assert first.status_code == second.status_code == 201
    assert without_id(second) == without_id(first)
    assert second.json()["request_id"] != first.json()["request_id"]
    assert first.json()["rejected_images"][0]["index"] == 1
    assert await person_count(api) == 1


async def test_a_retried_enrolment_from_a_raw_image_has_the_same_answer(api: httpx.AsyncClient) -> None:
    arguments = raw(drawing(0), name="Ada")
    arguments["headers"] |= KEY

    first = await api.post(PERSONS, **arguments)
    second = await api.post(PERSONS, **arguments)

    assert first.status_code == 201
    assert without_id(second) == without_id(first)
    assert await person_count(api) == 1


async def test_retries_at_the_same_time_write_once(api: httpx.AsyncClient) -> None:
    arguments = multipart("images", drawing(0))

    responses = await asyncio.gather(*(api.post(PERSONS, headers=KEY, **arguments) for _ in range(5)))

    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["person"]["id"] for response in responses}) == 1
    assert len({response.json()["faces"][0]["id"] for response in responses}) == 1
    assert await person_count(api) == 1


async def test_retried_faces_are_added_once(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")
    arguments = multipart("images", drawing(4), drawing())

    first = await api.post(f"{PERSONS}/ada/faces", headers=KEY, **arguments)
    second = await api.post(f"{PERSONS}/ada/faces", headers=KEY, **arguments)

    assert first.status_code == 201
    assert without_id(second) == without_id(first)
    assert (await api.get(f"{PERSONS}/ada")).json()["person"]["face_count"] == 2


async def test_an_enrolment_is_repeated_also_when_the_person_has_gone(api: httpx.AsyncClient) -> None:
    first = await api.post(PERSONS, headers=KEY, **multipart("images", drawing(0), id="ada"))
    await api.delete(f"{PERSONS}/ada")

    second = await api.post(PERSONS, headers=KEY, **multipart("images", drawing(0), id="ada"))

    assert without_id(second) == without_id(first)
    assert await person_count(api) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        multipart("images", drawing(5), name="Ada"),
        multipart("images", drawing(0), drawing(0), name="Ada"),
        multipart("images", drawing(0), name="Bob"),
        multipart("images", drawing(0)),
    ],
    ids=["another image", "one more image", "another option", "one option less"],
)
async def test_another_enrolment_under_the_same_key_is_refused(
    api: httpx.AsyncClient, arguments: dict[str, Any]
) -> None:
    await api.post(PERSONS, headers=KEY, **multipart("images", drawing(0), name="Ada"))

    response = await api.post(PERSONS, headers=KEY, **arguments)

    assert code_of(response) == (409, "idempotency_key_reused")
    assert await person_count(api) == 1


async def test_the_same_body_to_another_place_is_another_request(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(90), id="ada")
    arguments = multipart("images", drawing(0))
    await api.post(PERSONS, headers=KEY, **arguments)

    response = await api.post(f"{PERSONS}/ada/faces", headers=KEY, **arguments)

    assert code_of(response) == (409, "idempotency_key_reused")


async def test_the_names_of_files_and_boundaries_do_not_count(api: httpx.AsyncClient) -> None:
    first = await api.post(PERSONS, headers=KEY, files={"images": ("a.png", drawing(0), "image/png")})
    second = await api.post(PERSONS, headers=KEY, files={"images": ("b.jpg", drawing(0), "image/jpeg")})

    assert without_id(second) == without_id(first)


async def test_a_key_belongs_to_its_tenant(clients: Clients, api: httpx.AsyncClient) -> None:
    stranger = clients(tenant="stranger-with-the-same-key")
    await create_collection(stranger)
    arguments = multipart("images", drawing(0))

    ours = await api.post(PERSONS, headers=KEY, **arguments)
    theirs = await stranger.post(PERSONS, headers=KEY, **arguments)

    assert ours.json()["person"]["id"] != theirs.json()["person"]["id"]


async def test_a_refused_enrolment_leaves_its_key_free(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")
    arguments = multipart("images", drawing(0), id="ada")

    refused = await api.post(PERSONS, headers=KEY, **arguments)
    await api.delete(f"{PERSONS}/ada")
    taken = await api.post(PERSONS, headers=KEY, **arguments)

    assert code_of(refused) == (409, "person_exists")
    assert taken.status_code == 201


async def test_a_collection_is_created_once(clients: Clients) -> None:
    api = clients()
    body = {"id": "staff", "name": "Staff", "metadata": {"a": [1, 2]}}

    first = await api.post("/v1/collections", headers=KEY, json=body)
    second = await api.post("/v1/collections", headers=KEY, json=body)
    other = await api.post("/v1/collections", headers=KEY, json=body | {"name": "People"})

    assert first.status_code == second.status_code == 201
    assert without_id(second) == without_id(first)
    assert code_of(other) == (409, "idempotency_key_reused")


async def test_two_changes_to_nothing_are_two_requests(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", name="Ada", external_id="1")
    await api.patch(f"{PERSONS}/ada", headers=KEY, json={"name": None})

    response = await api.patch(f"{PERSONS}/ada", headers=KEY, json={"external_id": None})

    assert code_of(response) == (409, "idempotency_key_reused")
    assert (await api.get(f"{PERSONS}/ada")).json()["person"]["external_id"] == "1"


async def test_a_change_is_made_once(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", name="Ada")

    for path, key in (("/v1/collections/staff", "a"), (f"{PERSONS}/ada", "b")):
        headers = {"idempotency-key": key}
        first = await api.patch(path, headers=headers, json={"name": "One"})
        await api.patch(path, json={"name": "Two"})
        second = await api.patch(path, headers=headers, json={"name": "One"})
        other = await api.patch(path, headers=headers, json={"name": "Three"})

        assert without_id(second) == without_id(first)
        assert code_of(other) == (409, "idempotency_key_reused")
        current = (await api.get(path)).json()
        assert (current.get("collection") or current["person"])["name"] == "Two"


async def test_a_deletion_is_repeated_without_an_error(api: httpx.AsyncClient) -> None:
    first, second = (await enroll(api, drawing(0), drawing(4), id="ada"))["faces"]
    places: list[tuple[str, dict[str, Any], str]] = [
        (f"{PERSONS}/ada/faces/{first['id']}", {}, "a"),
        (f"{PERSONS}/ada/faces", {"face_id": [second["id"]]}, "b"),
        (f"{PERSONS}/ada", {}, "c"),
        ("/v1/collections/staff", {}, "d"),
    ]

    for path, params, key in places:
        once = await api.delete(path, params=params, headers={"idempotency-key": key})
        again = await api.delete(path, params=params, headers={"idempotency-key": key})

        assert once.status_code in (200, 204)
        assert again.status_code == once.status_code
        if once.content:
            assert without_id(again) == without_id(once) == {"deleted": 1}


async def test_another_deletion_under_the_same_key_is_refused(api: httpx.AsyncClient) -> None:
    first, second = (await enroll(api, drawing(0), drawing(4), id="ada"))["faces"]
    path = f"{PERSONS}/ada/faces"
    await api.delete(path, params={"face_id": first["id"]}, headers=KEY)

    other = await api.delete(path, params={"face_id": second["id"]}, headers=KEY)
    all_of_them = await api.delete(path, params={"all": "true"}, headers=KEY)

    assert code_of(other) == (409, "idempotency_key_reused")
    assert code_of(all_of_them) == (409, "idempotency_key_reused")


async def test_a_merge_and_a_move_are_done_once(api: httpx.AsyncClient) -> None:
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]
    await enroll(api, drawing(2), id="ada-2")
    await enroll(api, drawing(4), id="bob")
    move = f"{PERSONS}/ada/faces/{face['id']}/move"
    merge = f"{PERSONS}/bob/merge"

    moved = [await api.post(move, headers={"idempotency-key": "a"}, json={"person_id": "bob"}) for _ in range(2)]
    merged = [
        await api.post(merge, headers={"idempotency-key": "b"}, json={"source_person_id": "ada-2"}) for _ in range(2)
    ]

    assert {response.status_code for response in moved + merged} == {200}
    assert without_id(moved[0]) == without_id(moved[1])
    assert without_id(merged[0]) == without_id(merged[1])
    assert merged[0].json()["person"]["face_count"] == 3
