"""Who is it: search, identify, verify; with people that are drawn, see `colours`."""

from typing import Any

import httpx
import pytest
from PIL import ImageOps

from configs.tuning import EmbedderTuning, IngressTuning
from deployments.inference.worker import InferenceWorker
from tests.deployments import pictures
from tests.deployments.colours import THRESHOLD, ColourEncoder, Person, drawing, embedding
from tests.deployments.service import Clients, code_of, create_collection, enroll, message_of, multipart

SEARCH = "/v1/collections/staff/search"
IDENTIFY = "/v1/collections/staff/identify"
VERIFY = "/v1/collections/staff/persons/{}/verify"


async def enroll_hues(api: httpx.AsyncClient, **hues: float) -> None:
    for id, hue in hues.items():
        await enroll(api, drawing(hue), id=id)


def names(matches: list[dict[str, Any]]) -> list[str]:
    return [match["person"]["id"] for match in matches]


async def test_a_person_is_found_by_another_photo(
    photo_api: httpx.AsyncClient, portrait: bytes, group_photo: bytes
) -> None:
    await enroll(photo_api, portrait, id="eileen")
    await enroll(photo_api, group_photo, id="somebody")

    another = pictures.encoded(ImageOps.mirror(pictures.astronaut()).resize((300, 300)), quality=80)
    response = await photo_api.post(SEARCH, **multipart("image", another))

    [match] = response.json()["matches"]
    assert match["person"]["id"] == "eileen"
    assert 0.7 < match["similarity"] < 0.99
    assert response.json()["threshold"] == 0.363
    assert 0.7 < response.json()["searched_face"]["detection_score"] < 1


async def test_matches_are_persons_most_similar_first(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=30, bob=10, eve=120)
    await enroll(api, drawing(20), drawing(25), drawing(5), id="dan")

    response = await api.post(SEARCH, **multipart("image", drawing(0)))

    matches = response.json()["matches"]
    assert names(matches) == ["dan", "bob", "ada"]
    assert matches[0]["similarity"] == pytest.approx(0.9962, abs=1e-3)
    assert matches[0]["person"]["face_count"] == 3


async def test_a_search_gives_as_many_persons_as_asked_for(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0, bob=1, eve=2)

    response = await api.post(SEARCH, **multipart("image", drawing(0), limit=2))

    assert names(response.json()["matches"]) == ["ada", "bob"]


async def test_the_threshold_is_the_collections_unless_a_request_sets_it(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0, bob=45)

    by_model = await api.post(SEARCH, **multipart("image", drawing(0)))
    await api.patch("/v1/collections/staff", json={"threshold": 0.7})
    by_collection = await api.post(SEARCH, **multipart("image", drawing(0)))
    by_request = await api.post(SEARCH, **multipart("image", drawing(0), threshold=0.72))

    assert (names(by_model.json()["matches"]), by_model.json()["threshold"]) == (["ada"], THRESHOLD)
    assert (names(by_collection.json()["matches"]), by_collection.json()["threshold"]) == (["ada", "bob"], 0.7)
    assert (names(by_request.json()["matches"]), by_request.json()["threshold"]) == (["ada"], 0.72)


async def test_a_search_in_an_empty_collection_finds_nobody(api: httpx.AsyncClient) -> None:
    response = await api.post(SEARCH, **multipart("image", drawing(0)))

    assert response.status_code == 200
    assert response.json()["matches"] == []


async def test_a_search_needs_a_face(api: httpx.AsyncClient) -> None:
    response = await api.post(SEARCH, **multipart("image", drawing()))

    assert code_of(response) == (422, "face_not_found")


async def test_a_person_is_found_by_an_embedding(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0, bob=90)

    response = await api.post(SEARCH, json={"embedding": embedding(80).tolist(), "limit": 1})

    assert names(response.json()["matches"]) == ["bob"]
    assert response.json()["searched_face"] is None


async def test_a_persons_like_are_found_by_an_enrolled_face(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, bob=10, eve=120)
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]

    response = await api.post(SEARCH, json={"face_id": face["id"], "threshold": 0.9})

    assert names(response.json()["matches"]) == ["ada", "bob"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"limit": 5},
        {"embedding": [1.0] * 3},
        {"embedding": [0.0] * 512},
        {"embedding": [1.0] * 512},
        {"embedding": [1e300] * 512},
        {"embedding": [10**400] + [0] * 511},
        {"embedding": ["a"] * 512},
        {"embedding": [None] * 512},
        {"embedding": [[1.0]] * 512},
        {"embedding": "[1, 2]"},
        {"embedding": None},
        {"embedding": embedding(0).tolist(), "face_id": "x"},
        {"embedding": embedding(0).tolist(), "limit": 0},
        {"embedding": embedding(0).tolist(), "limit": 101},
        {"embedding": embedding(0).tolist(), "threshold": 2},
        {"embedding": embedding(0).tolist(), "other": 2},
        {"face_id": 5},
        {"face_id": None},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_a_malformed_probe_is_refused(api: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await api.post(SEARCH, json=body)

    assert code_of(response) == (400, "invalid_request")


async def test_a_probe_cannot_choose_a_face(api: httpx.AsyncClient) -> None:
    response = await api.post(SEARCH, json={"embedding": embedding(0).tolist(), "face_selection": "largest"})

    assert code_of(response) == (400, "request_detection_override_not_supported")


@pytest.mark.parametrize("id", ["x", "", "\x00", "00000000-0000-7000-8000-000000000000"])
async def test_a_probe_that_is_not_enrolled_is_not_found(api: httpx.AsyncClient, id: str) -> None:
    response = await api.post(SEARCH, json={"face_id": id})

    assert code_of(response) == (404, "face_not_found")


async def test_a_face_of_another_collection_is_no_probe(api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")
    [face] = (await enroll(api, drawing(0), id="ada", collection="guests"))["faces"]

    response = await api.post(SEARCH, json={"face_id": face["id"]})

    assert code_of(response) == (404, "face_not_found")


async def test_everybody_in_a_group_photo_is_identified(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0, bob=120)

    response = await api.post(IDENTIFY, **multipart("image", drawing(2, 122, 240)))

    faces = response.json()["faces"]
    decided = {face["face"]["bbox"]["pixels"]["x"]: face for face in faces}
    ada, bob, stranger = (decided[x] for x in sorted(decided))
    assert [face["decision"] for face in (ada, bob, stranger)] == ["match", "match", "no_match"]
    assert ada["person"]["id"] == "ada"
    assert ada["similarity"] == pytest.approx(1, abs=1e-3)
    assert ada["runner_up"]["person"]["id"] == "bob"
    assert ada["margin"] == pytest.approx(ada["similarity"] - ada["runner_up"]["similarity"], abs=1e-5)
    assert bob["person"]["id"] == "bob"
    assert stranger["person"] is None
    assert stranger["similarity"] is None
    assert stranger["candidates"]
    assert response.json()["threshold"] == THRESHOLD


@pytest.mark.parametrize(
    ("hues", "probe", "decision", "person"),
    [
        ({}, 0, "no_match", None),
        ({"ada": 0}, 30, "match", "ada"),  # 0.866
        ({"ada": 0}, 39, "uncertain", "ada"),  # 0.777: in the band below 0.8
        ({"ada": 0}, 45, "no_match", None),  # 0.707
        ({"ada": 0, "bob": 60}, 20, "match", "ada"),  # 0.940 against 0.766
        ({"ada": 0, "bob": 42}, 20, "uncertain", "ada"),  # 0.940 against 0.927
        ({"ada": 0, "bob": 0}, 0, "uncertain", "ada"),
        ({"ada": 0, "bob": 180}, 0, "match", "ada"),
    ],
)
async def test_the_decision_depends_on_the_threshold_and_the_runner_up(
    api: httpx.AsyncClient, hues: dict[str, float], probe: float, decision: str, person: str | None
) -> None:
    await enroll_hues(api, **hues)

    response = await api.post(IDENTIFY, **multipart("image", drawing(probe), limit=1))

    [face] = response.json()["faces"]
    assert face["decision"] == decision
    assert (face["person"] or {}).get("id") == person
    assert len(face["candidates"]) == min(1, len(hues))
    assert (face["runner_up"] is None) == (face["margin"] is None) == (len(hues) < 2)


async def test_the_bands_of_the_decision_can_be_tuned(clients: Clients) -> None:
    api = clients(tuning=IngressTuning(uncertain_band=0, minimum_margin=0.5))
    await create_collection(api)
    await enroll_hues(api, ada=0, bob=60)

    near = await api.post(IDENTIFY, **multipart("image", drawing(20)))
    below = await api.post(IDENTIFY, **multipart("image", drawing(330 - 10)))

    assert near.json()["faces"][0]["decision"] == "uncertain"
    assert below.json()["faces"][0]["decision"] == "no_match"


async def test_the_threshold_of_an_identification_can_be_set(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0)

    response = await api.post(IDENTIFY, **multipart("image", drawing(45), threshold=0.7))

    assert response.json()["faces"][0]["decision"] == "match"
    assert response.json()["threshold"] == 0.7


async def test_an_identification_names_as_many_faces_as_asked_for(api: httpx.AsyncClient) -> None:
    response = await api.post(IDENTIFY, **multipart("image", drawing(0, 90, 180), max_faces=2))

    assert len(response.json()["faces"]) == 2


async def test_an_identification_without_faces_is_empty(api: httpx.AsyncClient) -> None:
    response = await api.post(IDENTIFY, **multipart("image", drawing()))

    assert response.status_code == 200
    assert response.json()["faces"] == []


async def test_a_group_photo_is_identified(photo_api: httpx.AsyncClient, portrait: bytes, group_photo: bytes) -> None:
    await enroll(photo_api, portrait, id="eileen")
    await enroll(photo_api, group_photo, id="largest")

    response = await photo_api.post(IDENTIFY, **multipart("image", group_photo))

    first, *others = response.json()["faces"]
    assert (first["decision"], first["person"]["id"]) == ("match", "largest")
    assert len(others) == 5
    assert {other["decision"] for other in others} == {"no_match"}


async def test_a_person_is_verified(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), drawing(20), id="ada")

    same = await api.post(VERIFY.format("ada"), **multipart("image", drawing(25)))
    other = await api.post(VERIFY.format("ada"), **multipart("image", drawing(90)))

    assert same.json()["verified"] is True
    assert same.json()["similarity"] == pytest.approx(0.996, abs=2e-3)
    assert same.json()["person"]["id"] == "ada"
    assert same.json()["threshold"] == THRESHOLD
    assert same.json()["matched_face_id"]
    assert other.json()["verified"] is False


async def test_the_threshold_of_a_verification_can_be_set(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0)

    response = await api.post(VERIFY.format("ada"), **multipart("image", drawing(30), threshold=0.9))

    assert (response.json()["verified"], response.json()["threshold"]) == (False, 0.9)


async def test_a_person_without_faces_is_not_verified(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0)
    await api.delete("/v1/collections/staff/persons/ada/faces", params={"all": "true"})

    response = await api.post(VERIFY.format("ada"), **multipart("image", drawing(0), threshold=0))

    assert response.status_code == 200
    assert response.json()["verified"] is False
    assert response.json()["similarity"] is None
    assert response.json()["matched_face_id"] is None


async def test_an_unknown_person_is_not_found(api: httpx.AsyncClient) -> None:
    response = await api.post(VERIFY.format("bob"), **multipart("image", drawing(0)))

    assert code_of(response) == (404, "person_not_found")


@pytest.mark.parametrize("path", [SEARCH, IDENTIFY, VERIFY.format("ada"), "/v1/collections/staff/persons"])
async def test_a_collection_of_another_model_is_refused(clients: Clients, api: httpx.AsyncClient, path: str) -> None:
    await enroll_hues(api, ada=0)
    worker = InferenceWorker(ColourEncoder("2"), EmbedderTuning())
    upgraded = clients(embedder=worker)
    field = "images" if path.endswith("persons") else "image"

    response = await upgraded.post(path, **multipart(field, drawing(0)))

    worker.close()
    details = response.json()["error"]["details"]
    assert code_of(response) == (409, "collection_model_mismatch")
    assert details["expected_embedding_contract_id"] != details["provided_embedding_contract_id"]
    assert "bound to embedding contract" in message_of(response)


async def test_a_changed_profile_is_used_by_the_next_search(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=120)
    group = drawing(Person(0, side=90), Person(120, side=80), Person(240, side=90))
    before = await api.post(SEARCH, **multipart("image", group))

    await api.patch("/v1/collections/staff", json={"detection": {"single_face_selection": "center_largest"}})

    after = await api.post(SEARCH, **multipart("image", group))
    assert before.json()["matches"] == []
    assert [match["person"]["id"] for match in after.json()["matches"]] == ["ada"]


async def test_a_deleted_collection_is_not_found_by_the_next_search(api: httpx.AsyncClient) -> None:
    await enroll_hues(api, ada=0)
    await api.post(SEARCH, **multipart("image", drawing(0)))

    await api.delete("/v1/collections/staff", params={"force": "true"})

    response = await api.post(SEARCH, **multipart("image", drawing(0)))
    assert code_of(response) == (404, "collection_not_found")
