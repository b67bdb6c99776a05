"""Which images an enrolment takes: reviews, embeddings that the client made, models that change meanwhile."""

import base64
import json
from dataclasses import replace
from typing import Any, cast

import httpx
import numpy as np
import pytest

from configs.settings import ApiSettings
from deployments.decisions.review import IMAGES_AT_ONCE
from deployments.inference.worker import InferenceWorker
from deployments.ports import EmbedderResult, Overloaded
from encoders.types import AnalyzeOptions, ModelDescription
from store.gallery import Gallery
from tests.deployments.colours import ColourEncoder, Person, drawing, embedding
from tests.deployments.service import Clients, code_of, enroll, multipart

PERSONS = "/v1/collections/staff/persons"


async def test_without_review_any_face_is_taken(api: httpx.AsyncClient) -> None:
    poor = drawing(Person(0, side=20, brightness=0.1, saturation=0.2))

    assert (await enroll(api, poor, id="ada"))["rejected_images"] == []


@pytest.mark.parametrize("mode", ["standard", "strict"])
@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (drawing(), "face_not_found"),
        (drawing(0, 120), "multiple_faces"),
        (drawing(Person(0, side=30)), "face_too_small"),
        (drawing(Person(0, brightness=0.3)), "low_detection_score"),
        (drawing(Person(0, saturation=0.4)), "extreme_pose"),
        (b"garbage", "unsupported_image_format"),
    ],
    ids=["no face", "two faces", "small", "dark", "turned", "garbage"],
)
async def test_a_reviewed_image_has_one_good_face(api: httpx.AsyncClient, mode: str, image: bytes, reason: str) -> None:
    created = await enroll(api, drawing(0), image, id="ada", review_mode=mode)

    assert created["rejected_images"] == [{"index": 1, "filename": "1.jpg", "reason": reason}]
    assert created["person"]["face_count"] == 1


async def test_an_unknown_review_mode_is_refused(api: httpx.AsyncClient) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), review_mode="lenient"))

    assert code_of(response) == (400, "invalid_request")


async def test_strict_review_refuses_a_face_that_is_more_like_somebody_else(api: httpx.AsyncClient) -> None:
    [bobs] = (await enroll(api, drawing(100), id="bob"))["faces"]
    await enroll(api, drawing(0), id="ada")

    response = await api.post(
        f"{PERSONS}/ada/faces", **multipart("images", drawing(95), drawing(5), review_mode="strict")
    )

    [rejected] = response.json()["rejected_images"]
    assert response.status_code == 201
    assert len(response.json()["faces"]) == 1
    assert (rejected["index"], rejected["reason"]) == (0, "identity_similarity_conflict")
    assert rejected["filename"] == "0.jpg"
    assert (rejected["other_person_id"], rejected["matched_face_id"]) == ("bob", bobs["id"])
    assert rejected["other_person_similarity"] > rejected["same_person_similarity"]


async def test_strict_review_holds_a_new_persons_images_against_each_other(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(100), id="bob")

    created = await enroll(api, drawing(0), drawing(95), drawing(10), id="ada", review_mode="strict")

    assert [image["index"] for image in created["rejected_images"]] == [1]
    assert created["person"]["face_count"] == 2


async def test_strict_review_takes_the_first_face_of_a_person(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    created = await enroll(api, drawing(0), id="twin", review_mode="strict")

    assert created["rejected_images"] == []


async def test_strict_review_of_faces_that_are_all_somebody_elses_enrols_none(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")
    await enroll(api, drawing(100), id="bob")

    response = await api.post(f"{PERSONS}/ada/faces", **multipart("images", drawing(100), review_mode="strict"))

    assert (response.status_code, response.json()["faces"]) == (201, [])
    [rejected] = response.json()["rejected_images"]
    assert rejected["other_person_id"] == "bob"


class Asked:
    """A gallery that keeps which operations were asked for, in order."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self.operations: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.operations.append(name)
        return getattr(self._gallery, name)


@pytest.mark.parametrize("headers", [{}, {"idempotency-key": "once"}], ids=["without a key", "with a key"])
@pytest.mark.parametrize("mode", ["standard", "strict"])
async def test_an_enrolment_asks_the_store_once_for_all_its_faces(
    clients: Clients, api: httpx.AsyncClient, mode: str, headers: dict[str, str]
) -> None:
    await enroll(api, drawing(100), id="bob")
    await enroll(api, drawing(0), id="ada")
    asked = Asked(clients.gallery)
    counted = clients(gallery=cast(Gallery, asked))

    response = await counted.post(
        f"{PERSONS}/ada/faces", headers=headers, **multipart("images", *map(drawing, range(5)), review_mode=mode)
    )

    assert response.status_code == 201, response.text
    compared = ["search", "verify"] if mode == "strict" else []
    assert asked.operations == ["prepare_enrollment", *compared, "add_faces"]


async def contract_of(api: httpx.AsyncClient) -> str:
    return str((await api.get("/v1/collections/staff")).json()["collection"]["embedding_contract_id"])


def external(*vectors: Any) -> str:
    return json.dumps([vector.tolist() if isinstance(vector, np.ndarray) else vector for vector in vectors])


async def test_an_embedding_of_the_clients_own_is_trusted(api: httpx.AsyncClient) -> None:
    created = await enroll(
        api,
        drawing(0),
        id="ada",
        embedding_mode="external_trusted",
        external_embeddings=external(embedding(200)),
        embedding_contract_id=await contract_of(api),
    )

    found = await api.post(f"{PERSONS}/ada/verify", **multipart("image", drawing(200)))
    assert created["faces"][0]["embedding_source"] == "external_trusted"
    assert found.json()["similarity"] == pytest.approx(1, abs=1e-3)


async def test_embeddings_may_be_a_list_in_json(api: httpx.AsyncClient, clients: Clients) -> None:
    response = await api.post(
        PERSONS,
        json={
            "images": [base64.b64encode(drawing(0)).decode()],
            "embedding_mode": "external_trusted",
            "external_embeddings": [embedding(200).tolist()],
            "embedding_contract_id": await contract_of(api),
        },
    )

    assert response.status_code == 201
    assert response.json()["faces"][0]["embedding_source"] == "external_trusted"


@pytest.mark.parametrize(
    "vector",
    [
        [1.0],
        [0.0] * 512,
        [1.0] * 512,
        ["1"] + [0.0] * 511,
        [True] + [0.0] * 511,
        [1e39] * 512,
        [1e300] * 512,
        [10**400] + [0] * 511,
        [[1.0]] * 512,
        "text",
        None,
        {},
    ],
    ids=lambda vector: str(vector)[:20],
)
async def test_an_embedding_that_is_no_unit_vector_is_rejected(api: httpx.AsyncClient, vector: Any) -> None:
    created = await enroll(
        api,
        drawing(0),
        drawing(5),
        id="ada",
        embedding_mode="external_trusted",
        external_embeddings=external(embedding(0), vector),
        embedding_contract_id=await contract_of(api),
    )

    assert created["rejected_images"] == [{"index": 1, "filename": "1.jpg", "reason": "invalid_external_embedding"}]


async def test_an_image_without_a_face_is_rejected_also_with_an_embedding(api: httpx.AsyncClient) -> None:
    response = await api.post(
        PERSONS,
        **multipart(
            "images",
            drawing(),
            embedding_mode="external_trusted",
            external_embeddings=external(embedding(0)),
            embedding_contract_id=await contract_of(api),
        ),
    )

    assert code_of(response) == (422, "registration_failed")
    assert response.json()["error"]["details"]["rejected_images"][0]["reason"] == "face_not_found"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"external_embeddings": "[]"}, (400, "unexpected_external_embedding")),
        ({"embedding_contract_id": "x"}, (400, "unexpected_external_embedding")),
        ({"embedding_mode": "external_trusted"}, (400, "missing_external_embeddings")),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "[]"},
            (400, "missing_embedding_contract_id"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "{", "embedding_contract_id": "x"},
            (400, "invalid_external_embeddings"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "{}", "embedding_contract_id": "x"},
            (400, "invalid_external_embeddings"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "[[NaN]]", "embedding_contract_id": "x"},
            (400, "invalid_external_embeddings"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "[" * 5000, "embedding_contract_id": "x"},
            (400, "invalid_external_embeddings"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "[]", "embedding_contract_id": "x"},
            (400, "external_embedding_count_mismatch"),
        ),
        (
            {"embedding_mode": "external_trusted", "external_embeddings": "[[]]", "embedding_contract_id": "x"},
            (409, "embedding_contract_mismatch"),
        ),
        ({"embedding_mode": "trusted"}, (400, "invalid_request")),
    ],
)
async def test_what_does_not_fit_together_is_refused(
    api: httpx.AsyncClient, options: dict[str, str], expected: tuple[int, str]
) -> None:
    response = await api.post(PERSONS, **multipart("images", drawing(0), **options))

    assert code_of(response) == expected


class TwoModels:
    """An embedder in the middle of a rollout: images of this hue are seen by the next model."""

    def __init__(self, worker: InferenceWorker, hue: float) -> None:
        self._worker = worker
        self._upgraded = drawing(hue)
        self._model = ColourEncoder("2").model

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        seen = await self._worker.analyze(image, options)
        return replace(seen, model=self._model) if image == self._upgraded else seen

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()


@pytest.mark.parametrize("images", [(drawing(0), drawing(5)), (drawing(5), drawing(0))], ids=["last", "first"])
async def test_images_that_two_models_saw_are_not_mixed(
    clients: Clients, api: httpx.AsyncClient, colours: InferenceWorker, images: tuple[bytes, ...]
) -> None:
    rolling = clients(embedder=TwoModels(colours, hue=5))

    response = await rolling.post(PERSONS, **multipart("images", *images, id="ada"))

    assert code_of(response) == (409, "collection_model_mismatch")


async def test_two_models_are_not_compared(clients: Clients, colours: InferenceWorker) -> None:
    rolling = clients(embedder=TwoModels(colours, hue=5))
    files = {"source": ("a.png", drawing(0)), "target": ("b.png", drawing(5))}

    response = await rolling.post("/v1/compare", files=files)

    assert code_of(response) == (503, "unavailable")


class Busy:
    """An embedder whose queue is full."""

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        raise Overloaded()

    async def describe(self) -> ModelDescription:
        return ColourEncoder().model


class Counting:
    """An embedder that knows how many images it had at once."""

    def __init__(self, worker: InferenceWorker) -> None:
        self._worker = worker
        self._now = self.most = 0

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        self._now += 1
        self.most = max(self.most, self._now)
        seen = await self._worker.analyze(image, options)
        self._now -= 1
        return seen

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()


async def test_an_enrolment_of_many_images_does_not_fill_an_embedder(
    clients: Clients, api: httpx.AsyncClient, colours: InferenceWorker
) -> None:
    counting = Counting(colours)
    many = clients(embedder=counting, settings=ApiSettings(max_images=100))

    response = await many.post(PERSONS, **multipart("images", *map(drawing, range(3 * IMAGES_AT_ONCE))))

    assert response.status_code == 201, response.text
    assert len(response.json()["faces"]) == 3 * IMAGES_AT_ONCE
    assert counting.most == IMAGES_AT_ONCE


async def test_an_enrolment_that_the_embedder_has_no_room_for_is_told_to_come_again(
    clients: Clients, api: httpx.AsyncClient
) -> None:
    busy = clients(embedder=Busy())

    response = await busy.post(PERSONS, **multipart("images", drawing(0), drawing(5)))

    assert code_of(response) == (429, "overloaded")
    assert int(response.headers["retry-after"]) > 0
