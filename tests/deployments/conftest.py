"""Clients of the application, with the real store and real models behind it."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from configs.tuning import EmbedderTuning
from deployments.inference.worker import InferenceWorker
from encoders.images.decoding import ImageLimits
from encoders.loading import load_encoder
from store.embedded.local import LocalPostgres
from store.gallery import Gallery
from tests.conftest import create_database
from tests.deployments import pictures
from tests.deployments.colours import ColourEncoder
from tests.deployments.service import Clients, create_collection
from tests.models import opencv_models_dir

LIMITS = ImageLimits(max_bytes=2 * 2**20, max_pixels=2_000_000)


@pytest.fixture(scope="session")
async def gallery(postgres: LocalPostgres, template: str, database_numbers: Iterator[int]) -> AsyncIterator[Gallery]:
    """One gallery for all tests, each of which is a tenant of its own."""
    name = f"api_{next(database_numbers)}"
    await create_database(postgres, name, template)
    opened = await Gallery.open(postgres.url_of(name), min_connections=1, max_connections=4)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def opencv() -> Iterator[InferenceWorker]:
    """The encoder for photos."""
    encoder = load_encoder("opencv", opencv_models_dir(), limits=LIMITS)
    worker = InferenceWorker(encoder, EmbedderTuning())
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def colours() -> Iterator[InferenceWorker]:
    """The encoder for drawings."""
    worker = InferenceWorker(ColourEncoder(), EmbedderTuning())
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def apps() -> dict[Any, Any]:
    return {}


@pytest.fixture(scope="session")
def tenant_numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def tenant(tenant_numbers: Iterator[int]) -> str:
    return f"tenant-{next(tenant_numbers)}"


@pytest.fixture
async def photo_clients(
    gallery: Gallery, opencv: InferenceWorker, tenant: str, apps: dict[Any, Any]
) -> AsyncIterator[Clients]:
    """Makes clients of the service for photos."""
    clients = Clients(gallery, opencv, tenant, apps)
    yield clients
    for opened in clients.opened:
        await opened.aclose()


@pytest.fixture
async def clients(
    gallery: Gallery, colours: InferenceWorker, tenant: str, apps: dict[Any, Any]
) -> AsyncIterator[Clients]:
    """Makes clients of the service for drawings."""
    clients = Clients(gallery, colours, tenant, apps)
    yield clients
    for opened in clients.opened:
        await opened.aclose()


@pytest.fixture
async def photo_api(photo_clients: Clients) -> httpx.AsyncClient:
    """A client that may do everything, of the service for photos, with an empty collection `staff`."""
    api = photo_clients()
    await create_collection(api)
    return api


@pytest.fixture
async def api(clients: Clients) -> httpx.AsyncClient:
    """A client that may do everything, of the service for drawings, with an empty collection `staff`."""
    api = clients()
    await create_collection(api)
    return api


@pytest.fixture(scope="session")
def portrait() -> bytes:
    """A JPEG with one face."""
    return pictures.encoded(pictures.portrait(), quality=95)


@pytest.fixture(scope="session")
def group_photo() -> bytes:
    """A JPEG with six faces."""
    return pictures.group_photo()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder beside the checkout with what is given for tests."""
    folder = Path(__file__).parents[2].parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside the checkout")
    return folder
