"""What an import still has to bring."""

import hashlib

import httpx

from tests.deployments.colours import drawing
from tests.deployments.service import Clients, code_of, enroll, multipart

PLAN = "/v1/collections/staff/imports/plan"


def digest(image: bytes) -> str:
    return hashlib.sha256(image).hexdigest()


async def test_a_face_remembers_the_file_that_it_was_enrolled_from(api: httpx.AsyncClient) -> None:
    image = drawing(0)

    [face] = (await enroll(api, image, id="ada"))["faces"]

    assert face["source_sha256"] == digest(image)


async def test_a_plan_wants_what_the_collection_lacks_and_tells_where_the_rest_is(api: httpx.AsyncClient) -> None:
    there, new = drawing(0), drawing(90)
    await enroll(api, there, id="ada")
    asked = [(there, "ada"), (there, "bob"), (new, "ada")]

    response = await api.post(PLAN, json={"items": [{"sha256": digest(i), "person_id": p} for i, p in asked]})

    body = response.json()
    assert [(item["state"], item["found_person_id"]) for item in body["items"]] == [
        ("present", "ada"),
        ("elsewhere", "ada"),
        ("wanted", None),
    ]
    assert body["wanted"] == 1
    assert body["person_ids"] == ["ada"]


async def test_a_plan_follows_a_merge_and_a_deletion(api: httpx.AsyncClient) -> None:
    image = drawing(0)
    await enroll(api, image, id="ada")
    await enroll(api, drawing(90), id="bob")
    items = {"items": [{"sha256": digest(image), "person_id": "ada"}]}
    await api.post("/v1/collections/staff/persons/bob/merge", json={"source_person_id": "ada"})
    merged = (await api.post(PLAN, json=items)).json()["items"][0]
    await api.delete("/v1/collections/staff/persons/bob/faces", params={"all": True})

    deleted = (await api.post(PLAN, json=items)).json()["items"][0]

    assert (merged["state"], merged["found_person_id"]) == ("elsewhere", "bob")
    assert deleted["state"] == "wanted"


async def test_a_plan_knows_nothing_of_another_tenant_or_collection(clients: Clients, api: httpx.AsyncClient) -> None:
    image = drawing(0)
    await enroll(api, image, id="ada")
    stranger = clients(tenant="somebody-else")
    await stranger.post("/v1/collections", json={"id": "staff", "name": "Staff"})

    body = (await stranger.post(PLAN, json={"items": [{"sha256": digest(image), "person_id": "ada"}]})).json()

    assert (body["items"][0]["state"], body["person_ids"]) == ("wanted", [])


async def test_what_is_no_digest_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post(PLAN, json={"items": [{"sha256": "ABC", "person_id": "ada"}]})

    assert code_of(response) == (400, "invalid_request")


async def test_the_file_is_remembered_of_added_faces_too(api: httpx.AsyncClient) -> None:
    image = drawing(10)
    await enroll(api, drawing(0), id="ada")

    response = await api.post("/v1/collections/staff/persons/ada/faces", **multipart("images", image))

    assert [face["source_sha256"] for face in response.json()["faces"]] == [digest(image)]
