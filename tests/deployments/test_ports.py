"""The HTTP layer asks the store only for what a Serve handle passes on, and every operation is passed on."""

import ast
import inspect
import textwrap
from typing import Any, cast

from deployments.gallery_port import GALLERY_OPERATIONS, GalleryPort
from store.gallery import Gallery
from tests.deployments.colours import drawing
from tests.deployments.operations import operations
from tests.deployments.service import Clients, create_collection, enroll

# of the gallery, and not asked for over HTTP
WITHOUT_A_ROUTE = {
    "start_calibration",
    "advance_calibration",
    "get_calibration",
    "list_calibrations",
    "calibration_scores",
}


class PassedOn:
    """A gallery that remembers which of its operations were called."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._gallery, name)


def test_every_operation_of_the_gallery_is_on_the_port() -> None:
    public = {name for name in vars(Gallery) if not name.startswith("_")}

    assert set(GALLERY_OPERATIONS) == public
    assert {name for name in vars(GalleryPort) if not name.startswith("_")} == public


def test_an_operation_that_writes_is_marked_as_a_write() -> None:
    for name, kind in GALLERY_OPERATIONS.items():
        body = ast.parse(textwrap.dedent(inspect.getsource(getattr(Gallery, name))))
        called = {node.attr for node in ast.walk(body) if isinstance(node, ast.Attribute)}

        assert kind == "write" or "_write" not in called, name


async def test_every_operation_that_is_passed_on_is_asked_for(clients: Clients) -> None:
    gallery = PassedOn(clients.gallery)
    api = clients(gallery=cast(Gallery, gallery))
    await create_collection(api)
    [face] = (await enroll(api, drawing(0), id="ada", review_mode="strict"))["faces"]
    await enroll(api, drawing(90), id="bob")
    await api.post("/v1/collections/staff/search", json={"face_id": face["id"]})

    # deletions last, so that the others find what they are about
    for operation in sorted(operations(clients.app()), key=lambda operation: operation.method == "DELETE"):
        response = await api.request(operation.method, operation.path, **operation.arguments)

        assert response.status_code < 500, operation
    assert gallery.called == set(GALLERY_OPERATIONS) - WITHOUT_A_ROUTE
