"""What a valid token may do: scopes, tenants, granted collections."""

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from deployments.http.access.requirement import OPEN_PATHS, refuse_unguarded
from deployments.http.access.tokens import SCOPES
from tests.deployments.colours import drawing
from tests.deployments.operations import Operation, operations
from tests.deployments.service import Clients, code_of, create_collection, enroll, multipart


def scopes_written(app: FastAPI, operation: Operation) -> list[str]:
    """Return the scopes that the OpenAPI document asks for."""
    described = app.openapi()["paths"][operation.template][operation.method.lower()]
    return [scope for scheme in described["security"] for scope in scheme["HTTPBearer"]]


async def test_only_the_open_paths_answer_without_a_token(clients: Clients) -> None:
    api = clients(has_token=False)
    answered = set()

    for operation in operations(clients.app()):
        response = await api.request(operation.method, operation.path, **operation.arguments)
        if response.status_code != 401:
            answered.add(operation.template)

    assert answered == OPEN_PATHS


@pytest.mark.parametrize("method", ["add_api_route", "add_route"])
def test_an_application_with_a_route_that_asks_for_no_token_is_not_built(method: str) -> None:
    async def answer(request: Request) -> Response:
        return Response()

    app = FastAPI(docs_url=None, redoc_url=None)
    refuse_unguarded(app)
    getattr(app, method)("/v1/forgotten", answer)

    with pytest.raises(RuntimeError, match="/v1/forgotten"):
        refuse_unguarded(app)


async def test_every_other_route_refuses_a_token_without_scopes(clients: Clients) -> None:
    api = clients(scope="")

    for operation in operations(clients.app()):
        if not operation.is_open:
            response = await api.request(operation.method, operation.path, **operation.arguments)

            assert code_of(response) == (403, "insufficient_scope"), operation


async def test_every_route_asks_for_the_one_scope_that_is_written(clients: Clients) -> None:
    app = clients.app()

    for operation in operations(app):
        if operation.is_open:
            continue
        [scope] = scopes_written(app, operation)
        others = " ".join(other for other in SCOPES if other != scope)
        refused = await clients(scope=others).request(operation.method, operation.path)
        accepted = await clients(scope=scope).request(operation.method, operation.path)

        assert code_of(refused) == (403, "insufficient_scope"), operation
        assert refused.json()["error"]["details"] == {"required_scope": scope}
        assert accepted.status_code not in (401, 403), operation


async def test_a_scope_is_not_a_part_of_another_word(clients: Clients) -> None:
    response = await clients(scope="faces:readonly xfaces:read faces").get("/v1/collections")

    assert code_of(response) == (403, "insufficient_scope")


async def test_another_tenants_collection_is_not_found(clients: Clients, api: httpx.AsyncClient) -> None:
    await enroll(api, drawing(0), id="ada")
    await enroll(api, drawing(90), id="bob")
    stranger = clients(tenant="stranger")

    for operation in operations(clients.app()):
        if "{collection_id}" in operation.template:
            response = await stranger.request(operation.method, operation.path, **operation.arguments)

            assert code_of(response) == (404, "collection_not_found"), operation
    assert (await stranger.get("/v1/collections")).json()["collections"] == []
    assert (await api.get("/v1/collections/staff")).json()["collection"]["person_count"] == 2


async def test_tenants_have_names_of_their_own(clients: Clients, api: httpx.AsyncClient) -> None:
    stranger = clients(tenant="stranger-with-staff")

    created = await create_collection(stranger, "staff", description="theirs")

    assert created["description"] == "theirs"
    assert (await api.get("/v1/collections/staff")).json()["collection"]["description"] == ""


async def test_a_collection_that_is_not_granted_is_refused_on_every_path(clients: Clients) -> None:
    api = clients(collections=["guests", "sta", "staff2", "STAFF"])

    for operation in operations(clients.app()):
        if "{collection_id}" in operation.template:
            response = await api.request(operation.method, operation.path, **operation.arguments)

            assert code_of(response) == (403, "collection_not_granted"), operation


@pytest.mark.parametrize("path", ["/v1/detect", "/v1/embeddings"])
async def test_a_collection_that_is_not_granted_is_refused_in_an_option(
    clients: Clients, api: httpx.AsyncClient, path: str
) -> None:
    limited = clients(collections=["guests"])

    response = await limited.post(path, **multipart("image", drawing(0), collection_id="staff"))

    assert code_of(response) == (403, "collection_not_granted")


async def test_compare_refuses_a_collection_that_is_not_granted(clients: Clients, api: httpx.AsyncClient) -> None:
    files = {"source": ("a.png", drawing(0)), "target": ("b.png", drawing(0))}

    response = await clients(collections=["guests"]).post("/v1/compare", files=files, data={"collection_id": "staff"})

    assert code_of(response) == (403, "collection_not_granted")


async def test_a_collection_that_is_not_granted_cannot_be_created(clients: Clients) -> None:
    response = await clients(collections=["guests"]).post("/v1/collections", json={"id": "staff", "name": "Staff"})

    assert code_of(response) == (403, "collection_not_granted")


GRANTS: list[tuple[list[str] | None, set[str]]] = [
    (None, {"team-a", "team-b", "team_a", "guests"}),
    ([], set()),
    (["guests"], {"guests"}),
    (["team-a", "guests"], {"team-a", "guests"}),
    (["team-*"], {"team-a", "team-b"}),
    (["team?a"], {"team-a", "team_a"}),
    (["*"], {"team-a", "team-b", "team_a", "guests"}),
    (["team-[ab]"], set()),
    (["[!x]*"], set()),
    (["TEAM-*", "%", "team__", "tea\\m-a", "\x00", "team-a\n"], set()),
]


@pytest.mark.parametrize(("granted", "seen"), GRANTS, ids=[str(granted) for granted, _ in GRANTS])
async def test_a_list_shows_what_can_be_read_and_nothing_else(
    clients: Clients, granted: list[str] | None, seen: set[str]
) -> None:
    everybody = clients()
    for id in ("team-a", "team-b", "team_a", "guests"):
        await create_collection(everybody, id)
    api = clients(collections=granted)

    listed = {collection["id"] for collection in (await api.get("/v1/collections")).json()["collections"]}
    readable = set()
    for id in ("team-a", "team-b", "team_a", "guests"):
        if (await api.get(f"/v1/collections/{id}")).status_code == 200:
            readable.add(id)

    assert listed == seen
    assert readable == seen


@pytest.mark.parametrize(
    "path", ["staff%2Fpersons", "%73taff", "staff%00", "staff%0A", "guests%2F..%2Fstaff", "staff%20"]
)
async def test_a_grant_cannot_be_passed_by_encoding_the_path(
    clients: Clients, api: httpx.AsyncClient, path: str
) -> None:
    response = await clients(collections=["guests"]).get(f"/v1/collections/{path}")

    assert response.status_code in (403, 404)


async def test_a_granted_token_reaches_its_collection(clients: Clients, api: httpx.AsyncClient) -> None:
    limited = clients(collections=["st*"])

    created = await enroll(limited, drawing(0), id="ada")

    assert created["person"]["id"] == "ada"
