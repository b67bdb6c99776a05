"""Answers that are large between replicas, on Serve's fast path, where gRPC bounds them."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.cluster.node import Cluster
from tests.deployments.pictures import astronaut, encoded

pytestmark = pytest.mark.cluster

PERSONS = 100
CROWD = "/v1/collections/crowd"


@pytest.fixture(scope="module")
def client(service: Cluster) -> Iterator[httpx.Client]:
    """A client of a collection with a hundred persons, each of which has as much metadata as a person may have."""
    with service.client(tenant="crowds") as opened:
        created = opened.post("/v1/collections", json={"id": "crowd", "name": "Crowd"})
        assert created.status_code == 201, created.text
        contract = created.json()["collection"]["embedding_contract_id"]
        embeddings = np.random.default_rng(1).normal(size=(PERSONS, 512))
        embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
        photo = encoded(astronaut())

        def enroll(number: int) -> int:
            fields = {
                "id": f"p{number}",
                "metadata": json.dumps({"note": [0.5] * 3270}),  # numbers are longer between replicas than in JSON
                "embedding_mode": "external_trusted",
                "embedding_contract_id": contract,
                "external_embeddings": json.dumps([embeddings[number].tolist()]),
            }
            answer = opened.post(f"{CROWD}/persons", data=fields, files={"images": photo})
            assert answer.status_code == 201, answer.text
            return answer.status_code

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(enroll, range(PERSONS))) == {201}
        yield opened


@pytest.fixture(scope="module")
def group() -> bytes:
    """A picture with ten faces."""
    face = astronaut().crop((120, 0, 340, 220))
    picture = Image.new("RGB", (5 * face.width, 2 * face.height))
    for number in range(10):
        picture.paste(face, (number % 5 * face.width, number // 5 * face.height))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def identify(client: httpx.Client, image: bytes, **options: int) -> httpx.Response:
    return client.post(f"{CROWD}/identify", content=image, params=options, headers={"Content-Type": "image/png"})


def test_a_page_of_persons_with_all_the_metadata_they_may_have_is_answered(client: httpx.Client) -> None:
    answer = client.get(f"{CROWD}/persons", params={"limit": 100})

    assert answer.status_code == 200, answer.text[:500]
    assert len(answer.json()["persons"]) == PERSONS
    assert len(answer.content) > 1_000_000


@pytest.mark.parametrize("limit", [10, 100])
def test_many_faces_with_many_candidates_are_answered_or_refused(
    client: httpx.Client, group: bytes, limit: int
) -> None:
    answer = identify(client, group, limit=limit)

    assert answer.status_code in (200, 400), answer.text[:500]
    if answer.status_code == 400:
        assert answer.json()["error"]["code"] in ("too_many_candidates", "answer_too_large")
    else:
        assert len(answer.json()["faces"]) >= 5
