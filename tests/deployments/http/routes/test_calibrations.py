"""What a score means: calibrate a collection, apply a policy, and what answers tell from then on."""

import httpx
import numpy as np
import pytest

from store.gallery import Gallery
from store.types import NewPerson
from tests.benchmarks.store.vectors import Population, persons
from tests.deployments.service import Clients, code_of, create_collection, message_of
from tests.store.faces import face

CALIBRATIONS = "/v1/collections/staff/calibrations"
MEMBERS = 300


@pytest.fixture(scope="module")
def people() -> np.ndarray:
    """Embeddings, (1000, 2, 512), of two photos of each person; the first MEMBERS are enrolled."""
    return next(persons(Population(), 1000, 2))


async def enrolled(clients: Clients, people: np.ndarray) -> httpx.AsyncClient:
    api = clients()
    collection = await create_collection(api)
    gallery: Gallery = clients.gallery
    for number, photos in enumerate(people[:MEMBERS]):
        faces = [face(photo) for photo in photos]
        await gallery.enroll_person(
            clients.tenant, "staff", NewPerson(id=f"p{number}"), faces, collection["embedding_contract_id"]
        )
    return api


async def calibrated(api: httpx.AsyncClient) -> str:
    calibration = (await api.post(CALIBRATIONS, json={})).json()["calibration"]
    while calibration["finished_at"] is None:
        calibration = (await api.post(f"{CALIBRATIONS}/{calibration['id']}/advance", json={})).json()["calibration"]
    assert calibration["faces_compared"] == 2 * MEMBERS
    return str(calibration["id"])


async def best_score(api: httpx.AsyncClient, embedding: np.ndarray) -> dict[str, float]:
    body = {"embedding": [float(number) for number in embedding], "threshold": 0.0, "limit": 1}
    response = await api.post("/v1/collections/staff/search", json=body)
    match: dict[str, float] = response.json()["matches"][0]
    return match


async def test_a_policy_holds_for_strangers_and_every_answer_tells_their_rate(
    clients: Clients, people: np.ndarray
) -> None:
    api = await enrolled(clients, people)
    id = await calibrated(api)

    report = (await api.get(f"{CALIBRATIONS}/{id}", params={"size": 3000})).json()
    applied = (await api.post(f"{CALIBRATIONS}/{id}/apply", json={"max_fpir": 0.05, "at": "present"})).json()
    matches = [await best_score(api, photos[0]) for photos in people[MEMBERS:700]]

    scores = np.array([match["similarity"] for match in matches])
    assert report["sizes"] == [300, 3000]
    assert report["members_sampled"] == 300
    assert all(row["fpir"][0]["high"] <= row["fpir"][1]["high"] for row in report["rows"])
    assert applied["is_applied"] is True and applied["is_counted"] is True
    assert applied["fpir"]["value"] <= applied["fpir"]["high"] <= 0.05
    assert applied["collection"]["default_threshold"] == applied["threshold"]
    assert float((scores >= applied["threshold"]).mean()) <= 0.05
    lowest, highest = matches[int(scores.argmin())], matches[int(scores.argmax())]
    assert lowest["stranger_rate"] > 0.5 > 0.05 > highest["stranger_rate"]
    assert (await api.get(CALIBRATIONS)).json()["applied"] == id


async def test_a_threshold_can_be_asked_for_by_the_rate_of_strangers(clients: Clients, people: np.ndarray) -> None:
    api = await enrolled(clients, people)
    id = await calibrated(api)
    body = {"embedding": [float(number) for number in people[0, 0]], "max_stranger_rate": 0.1}

    before = await api.post("/v1/collections/staff/search", json=body)
    await api.post(f"{CALIBRATIONS}/{id}/apply", json={"max_fpir": 0.05, "at": "present"})
    after = await api.post("/v1/collections/staff/search", json=body)
    both = await api.post("/v1/collections/staff/search", json=body | {"threshold": 0.5})

    assert code_of(before) == (409, "collection_not_calibrated")
    assert after.json()["stranger_rate"] <= 0.1
    assert after.json()["matches"][0]["person"]["id"] == "p0"
    assert code_of(both) == (400, "invalid_request")


async def test_what_cannot_be_counted_is_refused_with_how_many_persons_it_takes(
    clients: Clients, people: np.ndarray
) -> None:
    api = await enrolled(clients, people)
    id = await calibrated(api)

    refused = await api.post(f"{CALIBRATIONS}/{id}/apply", json={"max_fpir": 0.001, "at": "present"})
    told = await api.post(
        f"{CALIBRATIONS}/{id}/apply",
        json={"max_fpir": 0.001, "at": "present", "extrapolate": True, "dry_run": True},
    )

    assert code_of(refused) == (409, "calibration_not_enough")
    assert refused.json()["error"]["details"]["needs_persons"] > 3000
    assert told.json()["is_counted"] is False
    assert told.json()["is_applied"] is False
    assert told.json()["fpir"]["extrapolated"] is True
    assert told.json()["collection"]["default_threshold"] == told.json()["former_threshold"]


async def test_an_unfinished_calibration_says_how_far_it_is(api: httpx.AsyncClient) -> None:
    id = (await api.post(CALIBRATIONS, json={"persons": 5})).json()["calibration"]["id"]

    response = await api.get(f"{CALIBRATIONS}/{id}")

    assert code_of(response) == (409, "calibration_unfinished")
    assert message_of(response) == "Expected a finished calibration; 0 of 0 faces are compared: advance it."


async def test_an_unknown_calibration_is_not_found(api: httpx.AsyncClient) -> None:
    response = await api.get(f"{CALIBRATIONS}/00000000-0000-7000-8000-000000000000")

    assert code_of(response) == (404, "calibration_not_found")
