"""Every operation without a token, with each scope, with another tenant's token, and beside the granted collections."""

from pathlib import Path

import httpx
import pytest

from deployments.http.access.tokens import SCOPES
from tests.attack.operations import Operation, operations, scopes
from tests.attack.target import Target
from tests.attack.wire import exchange, request

pytestmark = pytest.mark.cluster

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
NO_ID = "00000000-0000-7000-8000-000000000000"
NOWHERE = {"collection_id": "nowhere", "person_id": "nobody", "face_id": NO_ID, "calibration_id": NO_ID}


@pytest.fixture(scope="module")
def offered(target: Target) -> list[Operation]:
    return operations(target.url)


@pytest.fixture(scope="module")
def needed() -> dict[tuple[str, str], str]:
    return scopes(PAGE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def places(target: Target, gallery: str) -> dict[str, str]:
    """Where the enrolled face is, and a calibration of its collection."""
    with target.client() as client:
        face = client.get(f"/v1/collections/{gallery}/persons/eileen/faces").json()["faces"][0]
        begun = client.post(f"/v1/collections/{gallery}/calibrations", json={}).raise_for_status().json()
    return {
        "collection_id": gallery,
        "person_id": "eileen",
        "face_id": face["id"],
        "calibration_id": begun["calibration"]["id"],
    }


def ask(client: httpx.Client, operation: Operation, places: dict[str, str]) -> httpx.Response:
    return client.request(operation.method, operation.path(places), **operation.arguments())


def test_the_document_and_the_readme_name_the_same_operations(
    offered: list[Operation], needed: dict[tuple[str, str], str]
) -> None:
    assert {(operation.method, operation.template) for operation in offered} == set(needed)


def test_without_a_token_only_what_is_open_answers(
    target: Target, offered: list[Operation], needed: dict[tuple[str, str], str], places: dict[str, str]
) -> None:
    with target.bearing(None) as client:
        answered = {
            (operation.method, operation.template): ask(client, operation, places).status_code for operation in offered
        }

    assert answered == {place: 200 if scope == "open" else 401 for place, scope in needed.items()}


@pytest.mark.parametrize("granted", [*SCOPES, "nothing:at-all"])
def test_each_scope_opens_its_own_operations_alone(
    target: Target, offered: list[Operation], needed: dict[tuple[str, str], str], granted: str
) -> None:
    with target.client(scope=granted, tenant=target.tenant_called("scopes")) as client:
        refused = {
            (operation.method, operation.template)
            for operation in offered
            if ask(client, operation, NOWHERE).status_code == 403
        }

    assert refused == {place for place, scope in needed.items() if scope not in ("open", granted)}


def test_another_tenant_reaches_no_resource_by_its_id(
    target: Target, offered: list[Operation], places: dict[str, str]
) -> None:
    inside = [operation for operation in offered if "{collection_id}" in operation.template]
    with target.client(tenant=target.tenant_called("b")) as thief:
        answered = {f"{op.method} {op.template}": ask(thief, op, places) for op in inside}
        with_own_collection = thief.post("/v1/collections", json={"id": places["collection_id"], "name": "Mine"})
        inside_own = {
            f"{op.method} {op.template}": ask(thief, op, places)
            for op in inside
            if "{person_id}" in op.template and not op.template.endswith("/faces")
        }
        similar = thief.post(f"/v1/collections/{places['collection_id']}/search", json={"face_id": places["face_id"]})
    with target.client() as owner:
        kept = ask(owner, Operation("GET", "/v1/collections/{collection_id}/persons/{person_id}", ()), places)

    assert len(inside) > 15
    assert {name: answer.status_code for name, answer in answered.items()} == dict.fromkeys(answered, 404)
    assert with_own_collection.status_code == 201
    assert {answer.status_code for answer in inside_own.values()} <= {404, 422}  # 422: no face in the picture
    assert similar.status_code == 404
    assert kept.json()["person"]["face_count"] == 1


def test_a_face_is_not_found_under_another_person_or_collection(target: Target, places: dict[str, str]) -> None:
    face = f"faces/{places['face_id']}"
    with target.client() as client:
        client.post("/v1/collections", json={"id": "beside", "name": "Beside"}).raise_for_status()
        answers = [
            client.get(f"/v1/collections/beside/persons/eileen/{face}"),
            client.get(f"/v1/collections/{places['collection_id']}/persons/bob/{face}"),
            client.post("/v1/collections/beside/search", json={"face_id": places["face_id"]}),
            client.post(f"/v1/collections/beside/persons/eileen/{face}/move", json={"person_id": "bob"}),
            client.post("/v1/collections/beside/persons/eileen/merge", json={"source_person_id": "eileen"}),
        ]

    assert all(answer.status_code in (400, 404) for answer in answers), [answer.text for answer in answers]


@pytest.mark.parametrize(
    "grant", [[], ["other"], ["cre"], ["crew?"], ["CREW"], ["crew\n"], ["*w-"], ["[!c]*"], ["crew/"], ["%"], ["crew*x"]]
)
def test_a_grant_beside_the_collection_opens_none_of_it(
    target: Target, offered: list[Operation], places: dict[str, str], grant: list[str]
) -> None:
    with target.client(collections=grant) as client:
        answers = [ask(client, op, places) for op in offered if "{collection_id}" in op.template]
        listed = client.get("/v1/collections").json()["collections"]
        profile = client.post("/v1/detect", files={"image": b"x"}, data={"collection_id": places["collection_id"]})

    assert {answer.status_code for answer in answers} <= {401, 403}
    assert listed == []
    assert profile.status_code in (400, 403, 401)


@pytest.mark.parametrize("grant", [["crew"], ["cre?"], ["c*"], ["other", "c?e*"]])
def test_a_grant_of_the_collection_opens_it(target: Target, gallery: str, grant: list[str]) -> None:
    with target.client(collections=grant) as client:
        assert client.get(f"/v1/collections/{gallery}").status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/collections/crew/../crew",
        "/v1/collections/%63rew",
        "/v1/collections/./crew",
        "/v1//collections/crew",
        "/v1/health/../collections",
        "/v1/health/..%2fcollections",
        "/v1/health%2f..%2fcollections",
        "/v1/health;/../collections",
        "/docs/../v1/collections",
        "//v1/collections",
        "/V1/COLLECTIONS",
        "/v1/collections/",
        "/v1/collections%00",
        "/v1/collections%0d%0aX-Injected:%20yes",
    ],
)
def test_no_way_of_writing_a_path_goes_round_the_token(target: Target, path: str) -> None:
    reply = exchange(target.url, request(target.url, path=path, headers=[b"Connection: close"]))

    assert reply.statuses[0] in (400, 401, 403, 404), reply.received[:300]
    assert b"X-Injected" not in reply.received.partition(b"\r\n\r\n")[0]
