"""Photos that are not stored: detect, compare, embeddings; with real models."""

import io
import itertools
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from configs.tuning import IngressTuning
from tests.deployments import pictures
from tests.deployments.colours import THRESHOLD, Person, drawing
from tests.deployments.service import Clients, code_of, create_collection, message_of, multipart


def pair(source: bytes, target: bytes, **options: Any) -> dict[str, Any]:
    return {"files": {"source": ("a.jpg", source), "target": ("b.jpg", target)}, "data": options}


async def test_every_face_of_a_group_photo_is_detected(photo_api: httpx.AsyncClient, group_photo: bytes) -> None:
    response = await photo_api.post("/v1/detect", **multipart("image", group_photo))

    faces = response.json()["faces"]
    assert response.status_code == 200
    assert len(faces) == 6
    boxes = [face["bbox"]["pixels"] for face in faces]
    sizes = [box["width"] * box["height"] for box in boxes]
    assert all(size > following * 0.98 for size, following in itertools.pairwise(sizes))  # edges are whole pixels
    for face in faces:
        pixels, normalized = face["bbox"]["pixels"], face["bbox"]["normalized"]
        assert normalized["left"] == pytest.approx(pixels["x"] / 1280, abs=1e-6)
        assert normalized["height"] == pytest.approx(pixels["height"] / 886, abs=1e-6)
        assert all(0 <= value <= 1 for value in face["quality"].values())
        assert "embedding" not in face
    assert response.json()["processing_ms"] > 0


async def test_no_more_faces_are_detected_than_asked_for(photo_api: httpx.AsyncClient, group_photo: bytes) -> None:
    response = await photo_api.post("/v1/detect", **multipart("image", group_photo, max_faces=2))

    assert len(response.json()["faces"]) == 2


async def test_a_picture_without_faces_has_none(photo_api: httpx.AsyncClient) -> None:
    landscape = pictures.encoded(pictures.landscape())

    detected = await photo_api.post("/v1/detect", **multipart("image", landscape))
    embedded = await photo_api.post("/v1/embeddings", **multipart("image", landscape))

    assert detected.json()["faces"] == []
    assert code_of(embedded) == (422, "face_not_found")
    assert message_of(embedded) == "Expected a face in the image; found none."


async def test_the_box_of_a_face_at_the_edge_is_cut_to_the_image(photo_api: httpx.AsyncClient, portrait: bytes) -> None:
    with Image.open(io.BytesIO(portrait)) as opened:
        close = opened.crop((25, 35, 145, 160))

    response = await photo_api.post("/v1/detect", **multipart("image", pictures.encoded(close)))

    for face in response.json()["faces"]:
        pixels = face["bbox"]["pixels"]
        assert pixels["x"] >= 0
        assert pixels["x"] + pixels["width"] <= 120
        assert pixels["y"] + pixels["height"] <= 125


async def test_the_same_photo_in_another_size_is_the_same_person(photo_api: httpx.AsyncClient, portrait: bytes) -> None:
    with Image.open(io.BytesIO(portrait)) as opened:
        larger = opened.resize((opened.width * 2, opened.height * 2))

    response = await photo_api.post("/v1/compare", **pair(portrait, pictures.encoded(larger)))

    body = response.json()
    assert body["matched"] is True
    assert body["threshold"] == 0.363
    assert body["similarity"] >= 0.9
    assert body["source_face"]["bbox"]["pixels"]["width"] < body["target_face"]["bbox"]["pixels"]["width"]


async def test_two_persons_do_not_match(photo_api: httpx.AsyncClient, portrait: bytes, group_photo: bytes) -> None:
    response = await photo_api.post("/v1/compare", **pair(portrait, group_photo))

    assert response.json()["matched"] is False


async def test_the_threshold_of_a_comparison_can_be_set(api: httpx.AsyncClient) -> None:
    for threshold, matched in ((0.86, True), (0.87, False)):
        response = await api.post("/v1/compare", **pair(drawing(0), drawing(30), threshold=threshold))

        assert response.json()["similarity"] == pytest.approx(0.866, abs=2e-3)
        assert response.json()["threshold"] == threshold
        assert response.json()["matched"] is matched


async def test_the_threshold_of_a_comparison_is_the_models_or_the_deployments(clients: Clients) -> None:
    tuned = clients(tuning=IngressTuning(match_threshold=0.9))

    by_model = await clients().post("/v1/compare", **pair(drawing(0), drawing(30)))
    by_deployment = await tuned.post("/v1/compare", **pair(drawing(0), drawing(30)))

    assert (by_model.json()["threshold"], by_model.json()["matched"]) == (THRESHOLD, True)
    assert (by_deployment.json()["threshold"], by_deployment.json()["matched"]) == (0.9, False)


async def test_a_comparison_in_a_collection_uses_its_threshold_and_detection(clients: Clients) -> None:
    api = clients()
    await create_collection(api, threshold=0.95, detection={"single_face_selection": "center_largest"})
    photo = drawing(Person(0, side=90), Person(120, side=80), Person(240, side=90))

    response = await api.post("/v1/compare", **pair(photo, drawing(140), collection_id="staff"))

    assert response.json()["similarity"] == pytest.approx(np.cos(np.radians(20)), abs=5e-3)
    assert response.json()["threshold"] == 0.95
    assert response.json()["matched"] is False


@pytest.mark.parametrize(
    ("source", "target", "named"), [(drawing(), drawing(0), "source"), (drawing(0), drawing(), "target")]
)
async def test_a_comparison_says_which_image_has_no_face(
    api: httpx.AsyncClient, source: bytes, target: bytes, named: str
) -> None:
    response = await api.post("/v1/compare", **pair(source, target))

    assert code_of(response) == (422, "face_not_found")
    assert message_of(response) == f"Expected a face in the {named}; found none."
    assert response.json()["error"]["details"] == {"image": named}


async def test_a_comparison_says_which_image_cannot_be_used(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/compare", **pair(drawing(0), b"garbage"))

    assert code_of(response) == (422, "unsupported_image_format")
    assert response.json()["error"]["details"]["image"] == "target"


async def test_an_embedding_has_unit_length_and_its_models_contract(
    photo_api: httpx.AsyncClient, portrait: bytes
) -> None:
    response = await photo_api.post("/v1/embeddings", **multipart("image", portrait))

    [face], model = response.json()["faces"], response.json()["model"]
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert len(face["embedding"]) == model["embedding_dimension"] == 512
    assert model["model_id"] == "opencv"
    collection = (await photo_api.get("/v1/collections/staff")).json()["collection"]
    assert model["embedding_contract_id"] == collection["embedding_contract_id"]


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/embeddings", "/v1/compare"])
async def test_an_unknown_collection_is_not_found(api: httpx.AsyncClient, path: str) -> None:
    image = drawing(0)
    body = (
        pair(image, image, collection_id="other")
        if path == "/v1/compare"
        else multipart("image", image, collection_id="other")
    )

    response = await api.post(path, **body)

    assert code_of(response) == (404, "collection_not_found")


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("/v1/detect", {"min_score": "0.5"}),
        ("/v1/embeddings", {"face_selection": "largest"}),
        ("/v1/collections/staff/search", {"face_selection": "largest"}),
    ],
)
async def test_what_a_collection_sets_cannot_be_set_by_a_request(
    api: httpx.AsyncClient, path: str, option: dict[str, str]
) -> None:
    response = await api.post(path, **multipart("image", drawing(0), **option))

    assert code_of(response) == (400, "request_detection_override_not_supported")
