"""The database goes away under a running application, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from deployments.inference.worker import InferenceWorker
from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres, temporary_postgres
from store.gallery import Gallery
from tests.deployments.colours import drawing
from tests.deployments.operations import operations
from tests.deployments.service import Clients, code_of, create_collection, enroll, multipart


@pytest.fixture
def own_postgres() -> Iterator[LocalPostgres]:
    """A server of the test's own, to stop and to start."""
    with temporary_postgres(settings={"fsync": "off"}) as server:
        yield server


@pytest.fixture
async def own_clients(own_postgres: LocalPostgres, colours: InferenceWorker) -> AsyncIterator[Clients]:
    await apply_migrations(own_postgres.url)
    gallery = await Gallery.open(own_postgres.url, min_connections=1, max_connections=4)
    clients = Clients(gallery, colours, "default", {})
    yield clients
    for opened in clients.opened:
        await opened.aclose()
    await gallery.close()


async def test_the_application_waits_out_a_database_that_is_away(
    own_postgres: LocalPostgres, own_clients: Clients
) -> None:
    api = own_clients()
    await create_collection(api)
    await enroll(api, drawing(0), id="ada")
    await enroll(api, drawing(90), id="bob")

    await asyncio.to_thread(own_postgres.stop)
    away = await answers(own_clients, api)
    health = await api.get("/v1/health")
    detected = await api.post("/v1/detect", **multipart("image", drawing(0)))
    await asyncio.to_thread(own_postgres.start)
    found = await api.post("/v1/collections/staff/search", **multipart("image", drawing(0)))
    healthy = await api.get("/v1/health")

    for operation, response in away.items():
        assert code_of(response) == (503, "database_unavailable"), operation
    assert health.status_code == 503
    assert health.json()["status"] == "not_ready"
    assert health.json()["components"] == {"embedder": "ready", "database": "unavailable"}
    assert detected.status_code == 200
    assert [match["person"]["id"] for match in found.json()["matches"]] == ["ada"]
    assert healthy.json()["status"] == "ready"


async def answers(clients: Clients, api: httpx.AsyncClient) -> dict[str, httpx.Response]:
    """Return what every operation that needs the database answers."""
    needing = [
        operation
        for operation in operations(clients.app())
        if "/v1/collections" in operation.template or operation.template == "/v1/system"
    ]
    responses = await asyncio.gather(
        *(api.request(operation.method, operation.path, **operation.arguments) for operation in needing)
    )
    return {f"{one.method} {one.template}": response for one, response in zip(needing, responses, strict=True)}
