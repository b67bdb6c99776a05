"""Persons: enrol, read, change, merge, delete."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from configs.settings import ApiSettings
from tests.deployments.colours import Person, drawing
from tests.deployments.service import (
    Clients,
    code_of,
    counts,
    create_collection,
    enroll,
    face_ids,
    message_of,
    multipart,
)

PERSONS = "/v1/collections/staff/persons"


async def test_a_person_is_enrolled_from_a_photo(photo_api: httpx.AsyncClient, portrait: bytes) -> None:
    created = await enroll(
        photo_api, portrait, id="eileen", name="Eileen Collins", external_id="nasa-1", metadata='{"missions": 4}'
    )

    person, [face] = created["person"], created["faces"]
    assert created["rejected_images"] == []
    assert (person["id"], person["name"], person["external_id"]) == ("eileen", "Eileen Collins", "nasa-1")
    assert person["metadata"] == {"missions": 4}
    assert person["face_count"] == 1
    assert face["person_id"] == "eileen"
    assert face["embedding_source"] == "server"
    assert face["model_id"] == "opencv"
    assert face["has_crop"] is False
    assert 0 < face["bounding_box"]["pixels"]["width"] < 170
    assert len(face["landmarks"]) == 5
    assert (await photo_api.get(f"{PERSONS}/eileen")).json()["person"] == person
    assert (await photo_api.get(f"{PERSONS}/eileen/faces/{face['id']}")).json()["face"] == face


async def test_a_person_without_an_id_gets_one(api: httpx.AsyncClient) -> None:
    created = await enroll(api, drawing(0))

    assert UUID(created["person"]["id"])
    assert created["person"]["name"] is None


async def test_a_person_has_several_images(api: httpx.AsyncClient) -> None:
    created = await enroll(api, drawing(0), drawing(4), drawing(8), id="ada")

    assert created["person"]["face_count"] == 3
    assert await face_ids(api, "ada") == [face["id"] for face in created["faces"]]
    assert await counts(api) == (1, 3)


async def test_images_that_cannot_be_used_are_named_and_the_others_taken(api: httpx.AsyncClient) -> None:
    images = [drawing(0), b"garbage", drawing(), b"GIF89a", drawing(4)]

    created = await enroll(api, *images, id="ada")

    assert created["person"]["face_count"] == 2
    assert [(image["index"], image["reason"]) for image in created["rejected_images"]] == [
        (1, "unsupported_image_format"),
        (2, "face_not_found"),
        (3, "invalid_image"),
    ]
    assert created["rejected_images"][0]["filename"] == "1.jpg"


async def test_nobody_is_enrolled_when_no_image_can_be_used(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(), b"garbage", id="ada"))

    assert code_of(response) == (422, "registration_failed")
    assert [image["index"] for image in response.json()["error"]["details"]["rejected_images"]] == [0, 1]
    assert await counts(api) == (0, 0)


async def test_the_largest_face_of_an_image_is_taken(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(Person(0, side=60), Person(120, side=90)), id="ada")

    found = await api.post(f"{PERSONS}/ada/verify", **multipart("image", drawing(120)))

    assert found.json()["similarity"] == pytest.approx(1, abs=1e-3)


async def test_the_collection_can_ask_for_the_central_face(clients: Clients) -> None:
    api = clients()
    await create_collection(api, detection={"single_face_selection": "center_largest"})
    await enroll(api, drawing(Person(0, side=90), Person(120, side=80), Person(240, side=90)), id="ada")

    found = await api.post(f"{PERSONS}/ada/verify", **multipart("image", drawing(120)))

    assert found.json()["similarity"] == pytest.approx(1, abs=1e-3)


async def test_ids_are_taken_once(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", external_id="1")

    same_id = await api.post(PERSONS, **multipart("images", drawing(0), id="ada"))
    same_external_id = await api.post(PERSONS, **multipart("images", drawing(0), id="bob", external_id="1"))
    none = [await api.post(PERSONS, **multipart("images", drawing(0), id=id, external_id="")) for id in ("eve", "fay")]

    assert code_of(same_id) == (409, "person_exists")
    assert code_of(same_external_id) == (409, "external_id_exists")
    assert [response.json()["person"]["external_id"] for response in none] == [None, None]
    assert await counts(api) == (3, 3)


@pytest.mark.parametrize("id", ["", "-a", "_x", "a b", "a/b", "..", "a" * 65, "a\x00", "é"])
async def test_an_id_that_is_no_name_is_refused(api: httpx.AsyncClient, id: str) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), id=id))

    assert code_of(response) == (400, "invalid_person_id")
    assert message_of(response) == (
        "Expected a person id of 1 to 64 letters, digits, dots, underscores or hyphens, the first a letter or digit."
    )


async def test_a_person_is_changed(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", name="Ada", external_id="1", metadata='{"a": 1}')

    response = await api.patch(f"{PERSONS}/ada", json={"name": None, "external_id": "2"})

    person = response.json()["person"]
    assert response.status_code == 200
    assert (person["name"], person["external_id"], person["metadata"]) == (None, "2", {"a": 1})
    assert (await api.get(f"{PERSONS}/ada")).json()["person"] == person


async def test_a_change_cannot_take_anothers_external_id(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", external_id="1")
    await enroll(api, drawing(90), id="bob", external_id="2")

    response = await api.patch(f"{PERSONS}/bob", json={"external_id": "1"})

    assert code_of(response) == (409, "external_id_exists")


@pytest.mark.parametrize(
    "change",
    [{}, {"metadata": None}, {"id": "x"}, {"name": "\x00"}, {"name": "x" * 201}, {"name": 5}, {"metadata": []}],
)
async def test_a_malformed_change_of_a_person_is_refused(api: httpx.AsyncClient, change: dict[str, Any]) -> None:
    await enroll(api, drawing(0), id="ada")

    response = await api.patch(f"{PERSONS}/ada", json=change)

    assert code_of(response) in [(400, "invalid_request"), (400, "invalid_metadata")]


async def test_a_person_is_deleted_with_all_faces(api: httpx.AsyncClient) -> None:
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]

    deleted = await api.delete(f"{PERSONS}/ada")

    assert deleted.status_code == 204
    assert deleted.content == b""
    assert code_of(await api.get(f"{PERSONS}/ada")) == (404, "person_not_found")
    assert code_of(await api.delete(f"{PERSONS}/ada")) == (404, "person_not_found")
    by_face = await api.post("/v1/collections/staff/search", json={"face_id": face["id"]})
    assert code_of(by_face) == (404, "face_not_found")
    assert await counts(api) == (0, 0)


async def test_persons_are_found_by_a_part_of_their_names(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada", name="Ada Lovelace")
    await enroll(api, drawing(90), id="bob", external_id="LOVE-1")
    await enroll(api, drawing(180), id="eve", name="100%_sure")

    async def found(search: str) -> list[str]:
        response = await api.get(PERSONS, params={"search": search})
        return [person["id"] for person in response.json()["persons"]]

    assert await found("love") == ["ada", "bob"]
    assert await found("EV") == ["eve"]
    assert await found("%_") == ["eve"]
    assert await found("") == ["ada", "bob", "eve"]
    assert await found("nobody") == []
    assert await found("\x00") == []


async def test_two_persons_are_merged(api: httpx.AsyncClient) -> None:
    kept = (await enroll(api, drawing(0), id="ada", name="Ada"))["faces"]
    moved = (await enroll(api, drawing(4), drawing(8), id="a-lovelace", name="A."))["faces"]

    response = await api.post(f"{PERSONS}/ada/merge", json={"source_person_id": "a-lovelace"})

    assert response.status_code == 200
    assert response.json()["person"]["face_count"] == 3
    assert response.json()["person"]["name"] == "Ada"
    assert set(await face_ids(api, "ada")) == {face["id"] for face in kept + moved}
    assert code_of(await api.get(f"{PERSONS}/a-lovelace")) == (404, "person_not_found")
    assert await counts(api) == (1, 3)


async def test_a_person_is_not_merged_with_itself_or_nobody(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    itself = await api.post(f"{PERSONS}/ada/merge", json={"source_person_id": "ada"})
    nobody = await api.post(f"{PERSONS}/ada/merge", json={"source_person_id": "bob"})
    nul = await api.post(f"{PERSONS}/ada/merge", json={"source_person_id": "bob\x00"})

    assert code_of(itself) == (400, "invalid_request")
    assert code_of(nobody) == (404, "person_not_found")
    assert code_of(nul) == (404, "person_not_found")
    assert await counts(api) == (1, 1)


async def test_a_merge_keeps_to_the_limit_of_faces(clients: Clients) -> None:
    api = clients()
    await create_collection(api, search={"max_faces_per_person": 2})
    await enroll(api, drawing(0), drawing(2), id="ada")
    await enroll(api, drawing(4), id="bob")

    response = await api.post(f"{PERSONS}/ada/merge", json={"source_person_id": "bob"})

    assert code_of(response) == (409, "person_face_limit_exceeded")
    assert await counts(api) == (2, 3)


async def test_at_most_as_many_images_as_the_deployment_says(clients: Clients) -> None:
    api = clients(settings=ApiSettings(max_images=2))
    await create_collection(api)

    for count in (3, 4, 20):
        response = await api.post(PERSONS, **multipart("images", *[drawing(0)] * count))

        assert code_of(response) == (400, "too_many_images")
        assert response.json()["error"]["details"] == {"limit": 2}
        assert message_of(response) == f"Expected at most 2 images; found {count}."


@pytest.mark.parametrize("id", ["bob", "%00", "%FF", "%ED%A0%80", "x" * 3000, "ADA", "ad%2561"])
async def test_an_unknown_person_is_not_found(api: httpx.AsyncClient, id: str) -> None:
    await enroll(api, drawing(0), id="ada")

    for response in [
        await api.get(f"{PERSONS}/{id}"),
        await api.get(f"{PERSONS}/{id}/faces"),
        await api.patch(f"{PERSONS}/{id}", json={"name": "B"}),
        await api.delete(f"{PERSONS}/{id}"),
        await api.delete(f"{PERSONS}/{id}/faces", params={"all": "true"}),
        await api.post(f"{PERSONS}/{id}/faces", **multipart("images", drawing(0))),
        await api.post(f"{PERSONS}/{id}/verify", **multipart("image", drawing(0))),
        await api.post(f"{PERSONS}/{id}/merge", json={"source_person_id": "ada"}),
    ]:
        assert code_of(response) == (404, "person_not_found"), response.request
