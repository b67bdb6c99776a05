"""Health, and what runs."""

import httpx

from configs.settings import ApiSettings
from deployments.ports import Unavailable
from tests.deployments.colours import ColourEncoder
from tests.deployments.embedders import Failing
from tests.deployments.service import Clients, create_collection


async def test_health_names_the_part_that_is_away(clients: Clients) -> None:
    response = await clients(embedder=Failing(Unavailable("embedder")), has_token=False).get("/v1/health")

    assert response.status_code == 503
    assert response.json()["status"] == "not_ready"
    assert response.json()["components"] == {"embedder": "unavailable", "database": "ready"}


async def test_health_is_ready(clients: Clients) -> None:
    response = await clients(has_token=False).get("/v1/health")

    assert response.status_code == 200
    assert response.json()["status"] == "ready"
    assert response.json()["components"] == {"embedder": "ready", "database": "ready"}


async def test_what_runs_is_told(clients: Clients, api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")

    models = (await api.get("/v1/models")).json()
    system = (await api.get("/v1/system")).json()

    model = ColourEncoder().model
    assert models["embedding_contract_id"] == model.contract.id
    assert [component["task"] for component in models["models"]] == ["detection", "recognition"]
    assert models["license"] == {"text": "none", "commercial_use": True}
    assert system["stats"] == {
        "collections": 2,
        "persons": 0,
        "faces": 0,
        "collection_count": 2,
        "person_count": 0,
        "face_count": 0,
    }
    assert system["safe_config"]["max_images"] == ApiSettings().max_images
    assert system["search"]["profiles"] == ["fp32_v1", "fp16_v1", "bf16_v1", "int8_x736_v1", "int8_x1000_v1"]
    assert system["runtime"]["onnx_runtime_version"] == system["runtime"]["onnxruntime"]
    assert system["database"]["quick_check"] == "ok"
    assert system["safe_config"]["uncertain_band"] == 0.05


async def test_a_token_for_some_collections_counts_those_alone(clients: Clients, api: httpx.AsyncClient) -> None:
    await create_collection(api, "guests")

    system = (await clients(collections=["guests"]).get("/v1/system")).json()

    assert system["stats"] == {
        "collections": 1,
        "persons": 0,
        "faces": 0,
        "collection_count": 1,
        "person_count": 0,
        "face_count": 0,
    }
