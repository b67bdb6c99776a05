"""The OpenAPI document says what is served: nothing more, nothing less."""

import base64
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from deployments.http.openapi import ERRORS
from tests.deployments.colours import drawing
from tests.deployments.operations import ARGUMENTS, Operation, operations
from tests.deployments.service import Clients, enroll

HTTP_METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
def document(clients: Clients) -> dict[str, Any]:
    return clients.app().openapi()


def references(node: Any) -> set[str]:
    if isinstance(node, dict):
        found = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return found.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


async def test_the_document_is_served_as_it_is(clients: Clients, document: dict[str, Any]) -> None:
    response = await clients(has_token=False).get("/openapi.json")

    assert response.json() == document


def test_every_route_is_in_the_document_and_every_operation_is_routed(
    clients: Clients, document: dict[str, Any]
) -> None:
    routed = {
        (operation.method.lower(), operation.template)
        for operation in operations(clients.app())
        if operation.template.startswith("/v1/")
    }

    written = {(method, path) for path, described in document["paths"].items() for method in described}

    assert written == routed


def test_every_reference_leads_somewhere_and_every_schema_is_used(document: dict[str, Any]) -> None:
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert references(document) == schemas
    assert {"HTTPValidationError", "ValidationError"}.isdisjoint(document["components"]["schemas"])


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for described in document["paths"].values() for operation in described.values()]

    assert len(set(names)) == len(names)


def test_every_operation_but_health_describes_every_error(document: dict[str, Any]) -> None:
    for path, described in document["paths"].items():
        for method, operation in described.items():
            if path == "/v1/health":
                assert "security" not in operation
                continue
            assert operation["security"], (method, path)
            assert operation["summary"]
            assert operation["description"]
            for status in ERRORS:
                schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, (method, path, status)


def test_every_operation_with_a_body_describes_it_and_the_idempotency_of_every_write(document: dict[str, Any]) -> None:
    for path, described in document["paths"].items():
        for method, operation in described.items():
            takes_a_body = method in ("post", "patch")
            assert ("requestBody" in operation) == takes_a_body, (method, path)
            headers = [
                parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"
            ]
            is_write = method != "get" and any(
                "faces:write" in s or "collections:admin" in s
                for s in operation.get("security", [])
                for s in s.values()
            )
            assert headers == (["Idempotency-Key"] if is_write else []), (method, path)


def test_every_schema_is_valid(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    for described in document["paths"].values():
        for operation in described.values():
            for content in operation.get("requestBody", {}).get("content", {}).values():
                Draft202012Validator.check_schema(content["schema"])
            names = [(parameter["in"], parameter["name"]) for parameter in operation.get("parameters", [])]
            assert len(set(names)) == len(names)


def test_the_json_of_the_tests_is_as_described(document: dict[str, Any]) -> None:
    for (method, path), arguments in ARGUMENTS.items():
        if "json" in arguments:
            content = document["paths"][path][method.lower()]["requestBody"]["content"]

            Draft202012Validator(content["application/json"]["schema"]).validate(arguments["json"])


def image_operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (path, described["post"]["requestBody"]["content"])
        for path, described in document["paths"].items()
        if "multipart/form-data" in described.get("post", {}).get("requestBody", {}).get("content", {})
    ]


async def test_every_described_type_of_image_body_is_taken(
    clients: Clients, api: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    await enroll(api, drawing(0), id="ada")
    image = drawing(0)
    taken = 0

    for path, content in image_operations(document):
        schema = content["multipart/form-data"]["schema"]
        fields = [name for name in ("image", "images", "source", "target") if name in schema["required"]]
        for kind in content:
            if kind == "multipart/form-data":
                arguments: dict[str, Any] = {"files": {field: ("face.png", image) for field in fields}}
            elif kind == "application/json":
                text = base64.b64encode(image).decode()
                arguments = {"json": {field: [text] if field == "images" else text for field in fields}}
                Draft202012Validator(content[kind]["schema"]).validate(arguments["json"])
            else:
                arguments = {"content": image, "headers": {"content-type": kind.replace("*", "png")}}
            response = await api.post(Operation("POST", path).path, **arguments)

            assert response.status_code in (200, 201), (path, kind, response.text)
            taken += 1
    assert taken >= 8 * 2 + 7


async def test_every_described_option_may_stand_in_the_query(api: httpx.AsyncClient, document: dict[str, Any]) -> None:
    await enroll(api, drawing(0), id="ada")

    for path, content in image_operations(document):
        described = {
            parameter["name"]
            for parameter in document["paths"][path]["post"]["parameters"]
            if parameter["in"] == "query"
        }
        fields = content["multipart/form-data"]["schema"]["properties"].keys()
        images = {"image", "images", "source", "target"}

        assert described == fields - images - {"external_embeddings", "metadata"}, path


@pytest.mark.parametrize(
    "body",
    [
        {"embedding": [0.0] * 512},
        {"face_id": "x"},
        {"image": "aGVsbG8="},
        {"image": "aGVsbG8=", "limit": 3, "threshold": 0.5},
    ],
    ids=lambda body: next(iter(body)),
)
def test_a_search_is_described_by_image_or_probe(document: dict[str, Any], body: dict[str, Any]) -> None:
    content = document["paths"]["/v1/collections/{collection_id}/search"]["post"]["requestBody"]["content"]

    Draft202012Validator(content["application/json"]["schema"]).validate(body)
