"""The application behind a real HTTP server, and a client of it, for commands that talk to a running service."""

from collections.abc import AsyncIterator

import pytest

from faceserve_client import AsyncClient
from tests.deployments.client.serving import Refusals, served
from tests.deployments.service import Clients
from tests.deployments.tokens import token


@pytest.fixture
def refusals(clients: Clients) -> Refusals:
    return Refusals(clients.app())


@pytest.fixture
async def url(refusals: Refusals) -> AsyncIterator[str]:
    async with served(refusals) as url:
        yield url


@pytest.fixture
def bearer(tenant: str) -> str:
    return token(tenant=tenant)


@pytest.fixture
async def client(url: str, bearer: str) -> AsyncIterator[AsyncClient]:
    """A client of the test's tenant, with an empty collection `staff`."""
    async with AsyncClient(url, bearer) as client:
        await client.create_collection("staff", "Staff", save_face_crops=True)
        yield client
