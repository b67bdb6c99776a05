"""What a client of InsightFace Server 0.2 relies on: its operations, fields and answers are there."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from deployments.http.problems import Problem
from tests.deployments.colours import drawing
from tests.deployments.operations import PLACES, operations
from tests.deployments.service import Clients, base64_json, create_collection, enroll, multipart

HTTP_METHODS = ("get", "post", "patch", "delete")


@pytest.fixture(scope="module")
def peer(shared: Path) -> dict[str, Any]:
    """The other server's OpenAPI document, without its monitors, which this service does not have."""
    document = json.loads((shared / "reference" / "insightface-server-0.2.0-openapi.json").read_text())
    document["paths"] = {path: item for path, item in document["paths"].items() if "/monitors" not in path}
    return document


def test_every_operation_is_routed(clients: Clients, peer: dict[str, Any]) -> None:
    ours = {(operation.template, operation.method.lower()) for operation in operations(clients.app())}
    theirs = {(path, method) for path, item in peer["paths"].items() for method in item if method in HTTP_METHODS}

    assert theirs <= ours


def test_every_parameter_and_field_of_a_request_is_taken(clients: Clients, peer: dict[str, Any]) -> None:
    document = clients.app().openapi()

    def resolved(schema: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
        name = schema.get("$ref", "").rpartition("/")[2]
        return source["components"]["schemas"][name] if name else schema

    for path, item in peer["paths"].items():
        for method, theirs in item.items():
            ours = document["paths"][path][method]
            parameters = {(one["in"], one["name"]) for one in theirs.get("parameters", [])}
            assert parameters <= {(one["in"], one["name"]) for one in ours.get("parameters", [])}, (method, path)
            for kind, content in theirs.get("requestBody", {}).get("content", {}).items():
                their_fields = resolved(content["schema"], peer)
                our_fields = ours["requestBody"]["content"][kind]["schema"]
                assert their_fields["properties"].keys() <= our_fields["properties"].keys(), (method, path)
                assert set(our_fields.get("required", [])) <= set(their_fields.get("required", [])), (method, path)


async def test_every_answer_is_one_that_the_other_servers_clients_understand(
    clients: Clients, peer: dict[str, Any]
) -> None:
    api = clients()
    await create_collection(api, save_face_crops=True)
    [face] = (await enroll(api, drawing(0), id="ada"))["faces"]
    await enroll(api, drawing(90), id="bob")
    image, images = multipart("image", drawing(0)), multipart("images", drawing(3), drawing())
    pair = {"files": {name: ("face.png", drawing(0)) for name in ("source", "target")}}
    person = "/v1/collections/{collection_id}/persons/{person_id}"
    journey: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/v1/health", {}),
        ("get", "/v1/models", {}),
        ("get", "/v1/system", {}),
        ("post", "/v1/detect", image),
        ("post", "/v1/compare", pair),
        ("post", "/v1/embeddings", image),
        ("post", "/v1/collections", {"json": {"id": "guests", "name": "Guests"}}),
        ("get", "/v1/collections", {"params": {"limit": 1}}),
        ("get", "/v1/collections/{collection_id}", {}),
        ("patch", "/v1/collections/{collection_id}", {"json": {"description": "x"}}),
        ("post", "/v1/collections/{collection_id}/search", image),
        ("post", "/v1/collections/{collection_id}/persons", images),
        ("get", "/v1/collections/{collection_id}/persons", {"params": {"limit": 1, "search": "a"}}),
        ("get", person, {}),
        ("patch", person, {"json": {"name": "Ada"}}),
        ("post", f"{person}/faces", images),
        ("get", f"{person}/faces", {"params": {"limit": 1}}),
        ("get", f"{person}/faces/{{face_id}}/image", {}),
        ("delete", f"{person}/faces/{{face_id}}", {}),
        ("delete", person, {}),
        ("delete", "/v1/collections/{collection_id}", {"params": {"force": "true"}}),
    ]

    for method, template, arguments in journey:
        path = template.format_map(PLACES | {"face_id": face["id"]})
        response: httpx.Response = await api.request(method, path, **arguments)

        assert response.is_success, response.text
        content = peer["paths"][template][method]["responses"][str(response.status_code)].get("content", {})
        assert response.headers.get("content-type") in (content or {None})
        if "application/json" in content:
            schema = content["application/json"]["schema"] | {"components": peer["components"]}
            Draft202012Validator(schema).validate(response.json())
    described = {(method, path) for path, item in peer["paths"].items() for method in item}
    assert {(method, template) for method, template, _ in journey} == described


async def test_every_error_is_one_that_the_other_servers_clients_understand(
    clients: Clients, peer: dict[str, Any]
) -> None:
    api = clients()
    responses = [
        await clients(has_token=False).get("/v1/collections"),
        await api.get("/v1/collections/none"),
        await api.post("/v1/collections", json={}),
        await api.post("/v1/detect", **base64_json("image", b"garbage")),
        await api.get("/none"),
    ]

    validator = Draft202012Validator(peer["components"]["schemas"]["ErrorEnvelope"])
    for response in responses:
        validator.validate(response.json())


def test_the_statuses_of_our_problems_are_theirs_or_standard() -> None:
    for kind in Problem.__subclasses__():
        assert kind.status in (400, 408, 409, 413, 415, 422, 503), kind
