"""The client has every operation and every field of the OpenAPI document, and nothing that is not in it."""

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from faceserve_client import AsyncClient, Client
from faceserve_client.calls import Call, Listing
from faceserve_client.models.base import Shape
from tests.deployments.service import Clients

CONTENT = {"image", "images", "source", "target", "items"}
OWN_NAMES = {"move_face": {"person_id": "to_person_id"}}  # where the path has a parameter of the body's name
PATH_PARAMETERS = {"collection_id", "person_id", "face_id", "calibration_id"}


@pytest.fixture
def document(clients: Clients) -> dict[str, Any]:
    return clients.app().openapi()


def described(document: dict[str, Any]) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Give the name of the route's function, the method, the path and the description of every operation."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tail = re.sub(r"\W", "_", path) + "_" + method
            yield operation["operationId"].removesuffix(tail), method, path, operation


def options(operation: dict[str, Any]) -> set[str]:
    """Return every option that the document does not call deprecated."""
    found = {
        parameter["name"]: parameter["schema"]
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    }
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for schema in (content["schema"], *content["schema"].get("anyOf", ())):
            found |= schema.get("properties", {})
    return {name for name, schema in found.items() if not schema.get("deprecated")} - {"cursor"}


def method_of(client: type, name: str) -> inspect.Signature:
    return inspect.signature(vars(client)[name].operation)


def test_every_operation_is_a_method_of_both_clients(document: dict[str, Any]) -> None:
    names = {name for name, *_ in described(document)}

    for client in (Client, AsyncClient):
        found = {name for name, member in vars(client).items() if hasattr(member, "operation")}

        assert found == names, "see deployments/client/README.md, 'Add an operation'"


def test_both_clients_have_the_same_surface() -> None:
    public = {name for name in vars(Client) if not name.startswith("_")}

    assert public == {name for name in vars(AsyncClient) if not name.startswith("_")}
    for name in public:
        if hasattr(vars(Client)[name], "operation"):
            assert vars(Client)[name].operation is vars(AsyncClient)[name].operation


def test_every_option_is_a_parameter(document: dict[str, Any]) -> None:
    for name, _, path, operation in described(document):
        own = OWN_NAMES.get(name, {})
        expected = {own.get(option, option) for option in options(operation)} | set(re.findall(r"{(\w+)}", path))
        headers = [parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"]
        if "Idempotency-Key" in headers:
            expected.add("idempotency_key")

        assert set(method_of(Client, name).parameters) == expected, name


def call_of(name: str) -> Call[Any]:
    """Return the call of an operation with arguments of the right kind."""
    given: dict[str, Any] = {}
    for parameter in method_of(Client, name).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            given[parameter.name] = [{}] if parameter.name == "items" else parameter.name
    if name == "search":
        given["image"] = b"image"
    for content in CONTENT & given.keys() - {"items"}:
        given[content] = [b"image"] if content == "images" else b"image"
    made: Call[Any] | Listing[Any] = vars(Client)[name].operation(**given)
    return made.page(None) if isinstance(made, Listing) else made


def test_every_call_goes_where_the_document_says(document: dict[str, Any]) -> None:
    for name, method, path, operation in described(document):
        call = call_of(name)
        is_write = any(parameter["name"] == "Idempotency-Key" for parameter in operation.get("parameters", ()))

        assert (call.method.lower(), call.path) == (method, path.format(**{each: each for each in PATH_PARAMETERS}))
        assert call.is_write == is_write, name


def schema_name(schema: dict[str, Any]) -> str:
    return str(schema["$ref"].rsplit("/", 1)[1])


def test_every_answer_is_read_as_what_it_is_described_as(document: dict[str, Any]) -> None:
    for name, _, _, operation in described(document):
        [answer] = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        content = answer.get("content", {}).get("application/json")
        model = call_of(name).reading.model

        assert (model and model.__name__) == (content and schema_name(content["schema"])), name


def models() -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    waiting: list[type[BaseModel]] = [Shape]
    while waiting:
        for model in waiting.pop().__subclasses__():
            found[model.__name__] = model
            waiting.append(model)
    return found


def test_every_field_of_every_answer_is_typed(document: dict[str, Any]) -> None:
    ours = models()
    for name, schema in document["components"]["schemas"].items():
        if name.startswith("Error"):
            continue
        assert name in ours, f"{name}: see deployments/client/README.md, 'Add an operation'"

        assert set(ours[name].model_fields) == set(schema["properties"]), name
