"""One service and one browser for all tests of the console."""

import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.console.browser import CHROMIUM, HOW_TO_GET_IT, Watched, launch, watched_page
from tests.console.service import Album, Service, make_album

NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason=HOW_TO_GET_IT))


@pytest.fixture(scope="package")
def service() -> Iterator[Service]:
    # not pytest's own folder: as root PostgreSQL runs as another user, and pytest closes that folder to others
    folder = Path(tempfile.mkdtemp(prefix="fs", dir="/tmp"))
    running = Service(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="package")
def album(service: Service) -> Album:
    return make_album(service)


@pytest.fixture(scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        running = await launch(playwright)
        yield running
        await running.close()


@dataclass(frozen=True)
class Gallery:
    """A collection of one test, made through the API, as the ground that the test stands on."""

    id: str
    service: Service

    def enrol(self, name: str, photo: Path, **fields: str) -> str:
        """Enrol a person and return their id."""
        with self.service.client() as client, photo.open("rb") as image:
            answer = client.post(
                f"/v1/collections/{self.id}/persons", data={"name": name, **fields}, files={"images": image}
            )
            return str(answer.raise_for_status().json()["person"]["id"])

    def persons(self) -> dict[str, int]:
        """Return the names of all persons, each with the number of faces."""
        with self.service.client() as client:
            found = client.get(f"/v1/collections/{self.id}/persons", params={"limit": 100}).raise_for_status().json()
        return {person["name"]: person["face_count"] for person in found["persons"]}


@pytest.fixture
def gallery(service: Service) -> Gallery:
    id = f"gallery-{next(NUMBERS)}"
    with service.client() as client:
        body = {"id": id, "name": f"Gallery {id[8:]}", "save_face_crops": True}
        client.post("/v1/collections", json=body).raise_for_status()
    return Gallery(id, service)


Opens = Callable[..., AbstractAsyncContextManager[Watched]]


@pytest.fixture
def opened(browser: Browser) -> Opens:
    """Opens a page of its own, and fails the test for what went wrong in it."""

    def open_page(**context: Any) -> AbstractAsyncContextManager[Watched]:
        return watched_page(browser, **context)

    return open_page


@pytest.fixture
async def ui(browser: Browser, service: Service) -> AsyncIterator[Watched]:
    """A page that is signed in with a token that may do everything."""
    async with watched_page(browser) as watched:
        await watched.page.goto(f"{service.url}/#token={service.token()}")
        yield watched
