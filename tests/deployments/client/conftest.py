"""The application behind a real HTTP server, and the token of the test's tenant."""

from collections.abc import AsyncIterator

import pytest

from tests.deployments.client.serving import Refusals, served
from tests.deployments.service import Clients
from tests.deployments.tokens import token


@pytest.fixture
def refusals(clients: Clients) -> Refusals:
    return Refusals(clients.app())


@pytest.fixture
async def url(refusals: Refusals) -> AsyncIterator[str]:
    """Where the service for drawings is."""
    async with served(refusals) as url:
        yield url


@pytest.fixture
def bearer(tenant: str) -> str:
    return token(tenant=tenant)
