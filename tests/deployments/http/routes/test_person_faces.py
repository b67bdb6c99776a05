"""The faces of a person: add, keep their pictures, move, delete."""

import httpx
import pytest

from tests.deployments.colours import drawing
from tests.deployments.service import Clients, code_of, counts, create_collection, enroll, face_ids, multipart

PERSONS = "/v1/collections/staff/persons"
NO_FACE_ID = "00000000-0000-7000-8000-000000000000"


async def test_faces_are_added_to_a_person(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    response = await api.post(f"{PERSONS}/ada/faces", **multipart("images", drawing(5), drawing()))

    assert response.status_code == 201
    assert len(response.json()["faces"]) == 1
    assert [image["index"] for image in response.json()["rejected_images"]] == [1]
    assert (await api.get(f"{PERSONS}/ada")).json()["person"]["face_count"] == 2
    assert await counts(api) == (1, 2)


async def test_adding_faces_of_which_none_is_accepted_is_answered_with_the_reasons(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")
    request = multipart("images", drawing(), b"garbage") | {"headers": {"Idempotency-Key": "twice"}}

    first, again = [await api.post(f"{PERSONS}/ada/faces", **request) for _ in range(2)]

    for response in (first, again):
        assert (response.status_code, response.json()["faces"]) == (201, [])
        reasons = [image["reason"] for image in response.json()["rejected_images"]]
        assert reasons == ["face_not_found", "unsupported_image_format"]
    assert await counts(api) == (1, 1)


async def test_a_person_may_have_as_many_faces_as_the_collection_says(clients: Clients) -> None:
    api = clients()
    await create_collection(api, search={"max_faces_per_person": 2, "capacity_rows": 3})
    await enroll(api, drawing(0), drawing(3), id="ada")

    third = await api.post(f"{PERSONS}/ada/faces", **multipart("images", drawing(5)))
    over = await api.post(PERSONS, **multipart("images", drawing(90), drawing(95), id="bob"))

    assert code_of(third) == (409, "person_face_limit_exceeded")
    assert third.json()["error"]["details"] == {"max_faces": 2, "requested_faces": 3}
    assert code_of(over) == (409, "collection_capacity_exceeded")
    assert over.json()["error"]["details"] == {"capacity_rows": 3, "requested_rows": 4}


async def test_a_collection_can_keep_pictures_of_faces(clients: Clients) -> None:
    api = clients()
    await create_collection(api, save_face_crops=True)
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]

    image = await api.get(f"{PERSONS}/ada/faces/{face['id']}/image")

    assert face["has_crop"] is True
    assert image.status_code == 200
    assert image.headers["content-type"] == "image/jpeg"
    assert image.headers["cache-control"] == "no-store"
    assert image.content.startswith(b"\xff\xd8\xff")


async def test_without_crops_there_is_no_picture(api: httpx.AsyncClient) -> None:
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]

    response = await api.get(f"{PERSONS}/ada/faces/{face['id']}/image")

    assert code_of(response) == (404, "face_image_not_found")


async def test_a_face_is_given_to_another_person(api: httpx.AsyncClient) -> None:
    first, wrong = (await enroll(api, drawing(0), drawing(90), id="ada"))["faces"]
    await enroll(api, drawing(92), id="bob")

    response = await api.post(f"{PERSONS}/ada/faces/{wrong['id']}/move", json={"person_id": "bob"})

    assert response.status_code == 200
    assert response.json()["face"]["person_id"] == "bob"
    assert await face_ids(api, "ada") == [first["id"]]
    assert wrong["id"] in await face_ids(api, "bob")
    found = await api.post("/v1/collections/staff/search", **multipart("image", drawing(90)))
    assert [match["person"]["id"] for match in found.json()["matches"]] == ["bob"]
    assert await counts(api) == (2, 3)


async def test_a_face_is_not_given_to_nobody(api: httpx.AsyncClient) -> None:
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]

    response = await api.post(f"{PERSONS}/ada/faces/{face['id']}/move", json={"person_id": "bob"})

    assert code_of(response) == (404, "person_not_found")


async def test_a_face_is_reached_through_its_own_person_alone(api: httpx.AsyncClient) -> None:
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]
    await enroll(api, drawing(90), id="bob")
    path = f"{PERSONS}/bob/faces/{face['id']}"

    assert code_of(await api.get(path)) == (404, "face_not_found")
    assert code_of(await api.get(f"{path}/image")) == (404, "face_not_found")
    assert code_of(await api.post(f"{path}/move", json={"person_id": "ada"})) == (404, "face_not_found")
    assert code_of(await api.delete(path)) == (404, "face_not_found")
    assert await face_ids(api, "ada") == [face["id"]]


async def test_a_face_is_deleted(api: httpx.AsyncClient) -> None:
    first, second = (await enroll(api, drawing(0), drawing(4), id="ada"))["faces"]

    deleted = await api.delete(f"{PERSONS}/ada/faces/{first['id']}")

    assert deleted.status_code == 204
    assert await face_ids(api, "ada") == [second["id"]]
    assert code_of(await api.delete(f"{PERSONS}/ada/faces/{first['id']}")) == (404, "face_not_found")
    assert await counts(api) == (1, 1)


async def test_named_faces_are_deleted_and_unknown_ones_passed_over(api: httpx.AsyncClient) -> None:
    first, second, third = (await enroll(api, drawing(0), drawing(4), drawing(8), id="ada"))["faces"]
    wanted = [first["id"], third["id"], first["id"], NO_FACE_ID, "no-id", "\x00"]

    response = await api.delete(f"{PERSONS}/ada/faces", params={"face_id": wanted})

    assert response.status_code == 200
    assert response.json()["deleted"] == 2
    assert await face_ids(api, "ada") == [second["id"]]


async def test_all_faces_are_deleted_and_the_person_stays(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), drawing(4), id="ada")

    response = await api.delete(f"{PERSONS}/ada/faces", params={"all": "true"})

    assert response.json()["deleted"] == 2
    assert (await api.get(f"{PERSONS}/ada")).json()["person"]["face_count"] == 0
    assert await counts(api) == (1, 0)


@pytest.mark.parametrize("params", [{}, {"all": "false"}, {"all": "true", "face_id": NO_FACE_ID}, {"all": "perhaps"}])
async def test_it_must_be_clear_which_faces_to_delete(api: httpx.AsyncClient, params: dict[str, str]) -> None:
    await enroll(api, drawing(0), id="ada")

    response = await api.delete(f"{PERSONS}/ada/faces", params=params)

    assert code_of(response) == (400, "invalid_request")
    assert await counts(api) == (1, 1)


async def test_at_most_a_hundred_faces_are_named(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    response = await api.delete(f"{PERSONS}/ada/faces", params={"face_id": [NO_FACE_ID] * 101})

    assert code_of(response) == (400, "invalid_request")


@pytest.mark.parametrize("id", ["", "no-id", NO_FACE_ID, "%00", "%FF", "x" * 3000, "..%2f.."])
async def test_an_unknown_face_is_not_found(api: httpx.AsyncClient, id: str) -> None:
    await enroll(api, drawing(0), id="ada")

    response = await api.get(f"{PERSONS}/ada/faces/{id}")

    assert response.status_code == 404
