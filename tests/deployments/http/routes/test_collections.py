"""Collections: create, read, change, delete."""

from dataclasses import fields

import httpx
import pytest

from configs.settings import ApiSettings
from configs.tuning import IngressTuning
from deployments.http.requests.collections import (
    CollectionCreate,
    CollectionPatch,
    CollectionSearch,
    CollectionSearchPatch,
)
from deployments.http.responses.collections import Collection
from store.types import CollectionProperties
from tests.deployments.colours import THRESHOLD, drawing
from tests.deployments.service import Clients, code_of, create_collection, enroll, message_of


def test_every_property_of_a_collection_can_be_set_changed_and_read() -> None:
    properties = {each.name for each in fields(CollectionProperties)}
    aliases = {name: shown.validation_alias for name, shown in Collection.model_fields.items()}
    read_from = {alias if isinstance(alias, str) else name for name, alias in aliases.items()}

    assert properties <= CollectionCreate.model_fields.keys() | CollectionSearch.model_fields.keys()
    assert properties <= CollectionPatch.model_fields.keys() | CollectionSearchPatch.model_fields.keys()
    assert properties <= read_from


async def test_a_new_collection_has_the_defaults_of_model_and_deployment(clients: Clients) -> None:
    collection = await create_collection(clients(), "staff")

    assert collection["default_threshold"] == THRESHOLD
    assert collection["detection"] == {
        "input_sizes": [[640, 640]],
        "threshold": 0.5,
        "nms_threshold": 0.4,
        "single_face_selection": "largest",
    }
    assert collection["search_profile"] == "fp32_v1"
    assert collection["index_state"] == "exact"
    assert collection["capacity_rows"] == ApiSettings().default_capacity
    assert collection["max_faces_per_person"] == ApiSettings().default_max_faces_per_person
    assert (collection["person_count"], collection["face_count"]) == (0, 0)
    assert collection["model_id"] == "colours"
    assert collection["embedding_dimension"] == 512


async def test_a_new_collection_is_what_was_asked_for(clients: Clients) -> None:
    api = clients()

    collection = await create_collection(
        api,
        "staff",
        description="Everybody who works here",
        threshold=0.5,
        save_face_crops=True,
        metadata={"site": "Zürich", "floors": [1, 2]},
        detection={
            "input_sizes": [[320, 320], [640, 640]],
            "threshold": 0.6,
        },
        search={"profile": "fp32_v1", "capacity_rows": 5, "max_faces_per_person": 2, "load_policy": "lazy"},
    )

    assert collection["description"] == "Everybody who works here"
    assert collection["default_threshold"] == 0.5
    assert collection["save_face_crops"] is True
    assert collection["metadata"] == {"site": "Zürich", "floors": [1, 2]}
    assert collection["detection"] == {
        "input_sizes": [[320, 320], [640, 640]],
        "threshold": 0.6,
        "nms_threshold": 0.4,
        "single_face_selection": "largest",
    }
    assert (collection["capacity_rows"], collection["max_faces_per_person"]) == (5, 2)
    assert collection["load_policy"] == "lazy"
    assert (await api.get("/v1/collections/staff")).json()["collection"] == collection


async def test_the_deployments_threshold_is_above_the_models(clients: Clients) -> None:
    collection = await create_collection(clients(tuning=IngressTuning(match_threshold=0.33)), "staff")

    assert collection["default_threshold"] == 0.33


async def test_a_collection_is_created_once(api: httpx.AsyncClient) -> None:
    response = await api.post("/v1/collections", json={"id": "staff", "name": "Staff"})

    assert code_of(response) == (409, "collection_exists")


async def test_the_default_collection_of_other_services_can_be_made(clients: Clients) -> None:
    assert (await create_collection(clients(), "_default"))["id"] == "_default"


async def test_a_capacity_over_the_deployments_is_refused(clients: Clients) -> None:
    api = clients(settings=ApiSettings(max_capacity=100))

    response = await api.post("/v1/collections", json={"id": "a", "name": "A", "search": {"capacity_rows": 101}})

    assert code_of(response) == (400, "search_capacity_too_large")
    assert response.json()["error"]["details"] == {"max_capacity_rows": 100}
    await create_collection(api, "a", search={"capacity_rows": 100})
    raised = await api.patch("/v1/collections/a", json={"search": {"capacity_rows": 101}})
    assert code_of(raised) == (400, "search_capacity_too_large")


@pytest.mark.parametrize("profile", ["fp16_v1", "bf16_v1", "int8_x736_v1", "int8_x1000_v1"])
async def test_every_search_profile_is_accepted_and_searched_in_full_precision(clients: Clients, profile: str) -> None:
    response = await clients().post("/v1/collections", json={"id": "a", "name": "A", "search": {"profile": profile}})

    assert response.status_code == 201
    assert response.json()["collection"]["search_profile"] == "fp32_v1"


async def test_a_search_profile_that_nobody_knows_is_refused(clients: Clients) -> None:
    response = await clients().post("/v1/collections", json={"id": "a", "name": "A", "search": {"profile": "fp8_v1"}})

    assert code_of(response) == (400, "invalid_request")


async def test_a_change_leaves_the_rest_as_it_was(api: httpx.AsyncClient) -> None:
    before = (await api.get("/v1/collections/staff")).json()["collection"]

    response = await api.patch("/v1/collections/staff", json={"threshold": 0.9, "search": {"max_faces_per_person": 3}})

    after = response.json()["collection"]
    assert response.status_code == 200
    assert (after["default_threshold"], after["max_faces_per_person"]) == (0.9, 3)
    unchanged = before.keys() - {"default_threshold", "max_faces_per_person", "updated_at"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}
    assert after["updated_at"] >= before["updated_at"]


async def test_a_part_of_the_detection_profile_can_be_changed(api: httpx.AsyncClient) -> None:
    response = await api.patch("/v1/collections/staff", json={"detection": {"threshold": 0.7}})

    collection = response.json()["collection"]
    assert collection["detection"] == {
        "input_sizes": [[640, 640]],
        "threshold": 0.7,
        "nms_threshold": 0.4,
        "single_face_selection": "largest",
    }
    assert collection["detection_revision"] == 2


async def test_metadata_is_replaced_as_a_whole(api: httpx.AsyncClient) -> None:
    await api.patch("/v1/collections/staff", json={"metadata": {"a": 1, "b": 2}})

    response = await api.patch("/v1/collections/staff", json={"metadata": {"b": 3}})

    assert response.json()["collection"]["metadata"] == {"b": 3}


@pytest.mark.parametrize("change", [{}, {"name": None}, {"metadata": None}, {"id": "other"}, {"person_count": 5}])
async def test_a_change_that_says_nothing_or_too_much_is_refused(
    api: httpx.AsyncClient, change: dict[str, object]
) -> None:
    response = await api.patch("/v1/collections/staff", json=change)

    assert code_of(response) == (400, "invalid_request")


async def test_a_capacity_below_what_is_there_is_refused(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), drawing(5), id="ada")

    response = await api.patch("/v1/collections/staff", json={"search": {"capacity_rows": 1}})

    assert code_of(response) == (409, "collection_capacity_exceeded")


async def test_a_collection_with_persons_is_deleted_by_force_alone(api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")

    kept = await api.delete("/v1/collections/staff")
    deleted = await api.delete("/v1/collections/staff", params={"force": "true"})
    gone = await api.get("/v1/collections/staff")

    assert code_of(kept) == (409, "collection_not_empty")
    assert kept.json()["error"]["details"] == {"person_count": 1}
    assert deleted.status_code == 204
    assert code_of(gone) == (404, "collection_not_found")
    assert (await create_collection(api, "staff"))["person_count"] == 0


@pytest.mark.parametrize(
    "body",
    [
        {"id": "a"},
        {"name": "A"},
        {"id": "", "name": "A"},
        {"id": "-a", "name": "A"},
        {"id": "a b", "name": "A"},
        {"id": "a/b", "name": "A"},
        {"id": "..", "name": "A"},
        {"id": "ä", "name": "A"},
        {"id": "a\n", "name": "A"},
        {"id": "a" * 65, "name": "A"},
        {"id": 5, "name": "A"},
        {"id": "a", "name": ""},
        {"id": "a", "name": "x" * 201},
        {"id": "a", "name": "A\x00"},
        {"id": "a", "name": "A", "description": "x" * 2001},
        {"id": "a", "name": "A", "threshold": 1.1},
        {"id": "a", "name": "A", "threshold": -0.1},
        {"id": "a", "name": "A", "threshold": "high"},
        {"id": "a", "name": "A", "save_face_crops": "perhaps"},
        {"id": "a", "name": "A", "search": {"capacity_rows": 0}},
        {"id": "a", "name": "A", "search": {"capacity_rows": 1.5}},
        {"id": "a", "name": "A", "search": {"load_policy": "never"}},
        {"id": "a", "name": "A", "search": {"profile": "other"}},
        {"id": "a", "name": "A", "search": {"max_faces_per_person": 1_000_001}},
        {"id": "a", "name": "A", "detection": {"input_sizes": []}},
        {"id": "a", "name": "A", "detection": {"input_sizes": [[640]]}},
        {"id": "a", "name": "A", "detection": {"input_sizes": [[640, 641]]}},
        {"id": "a", "name": "A", "detection": {"input_sizes": [[32, 32]]}},
        {"id": "a", "name": "A", "detection": {"input_sizes": [[1312, 640]]}},
        {"id": "a", "name": "A", "detection": {"input_sizes": [[640, 640]] * 5}},
        {"id": "a", "name": "A", "detection": {"single_face_selection": "smallest"}},
        {"id": "a", "name": "A", "detection": {"other": 1}},
        {"id": "a", "name": "A", "other": 1},
    ],
    ids=str,
)
async def test_a_malformed_collection_is_refused(clients: Clients, body: dict[str, object]) -> None:
    response = await clients().post("/v1/collections", json=body)

    assert code_of(response) in [(400, "invalid_request"), (400, "invalid_detection_profile")]
    assert message_of(response).startswith("The request is malformed: ")


async def test_the_refusal_says_where_what_was_expected_and_what_was_found(clients: Clients) -> None:
    body = {"id": "a", "name": "A", "threshold": 7, "detection": {"input_sizes": [[640, 641]]}}

    response = await clients().post("/v1/collections", json=body)

    assert message_of(response) == (
        "The request is malformed: threshold: Input should be less than or equal to 1; found 7; "
        "detection.input_sizes: expected multiples of 32 from 64 to 1280, found 641."
    )


async def test_a_new_collection_keeps_the_inputs_at_which_the_model_looks(clients: Clients) -> None:
    model = await clients.embedder.describe()

    collection = await create_collection(clients(), "staff")

    assert collection["detection"]["input_sizes"] == [list(size) for size in model.detector_inputs]


@pytest.mark.parametrize(
    ("path", "field", "may_be_null"), [("", "metadata", False), ("/persons/{person_id}", "name", True)]
)
async def test_the_document_says_which_changes_may_be_null(
    clients: Clients, path: str, field: str, may_be_null: bool
) -> None:
    document = (await clients().get("/openapi.json")).json()
    operation = document["paths"]["/v1/collections/{collection_id}" + path]["patch"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]

    assert ({"type": "null"} in schema["properties"][field].get("anyOf", ())) is may_be_null
