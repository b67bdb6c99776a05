"""The HTTP layer asks the store only for what a Serve handle passes on."""

from typing import Any, cast

from deployments.ports import GALLERY_OPERATIONS
from store.gallery import Gallery
from tests.deployments.colours import drawing
from tests.deployments.operations import operations
from tests.deployments.service import Clients, create_collection, enroll


class PassedOn:
    """A gallery of which only the named operations can be called; remembers which were."""

    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name not in GALLERY_OPERATIONS:
            raise AttributeError(name)
        self.called.add(name)
        return getattr(self._gallery, name)


def test_everything_that_is_passed_on_is_there() -> None:
    assert all(callable(getattr(Gallery, name)) for name in GALLERY_OPERATIONS)


async def test_everything_that_is_called_is_passed_on(clients: Clients) -> None:
    gallery = PassedOn(clients.gallery)
    api = clients(gallery=cast(Gallery, gallery))
    await create_collection(api)
    [face] = (await enroll(api, drawing(0), id="ada", review_mode="strict"))["faces"]
    await enroll(api, drawing(90), id="bob")
    await api.post("/v1/collections/staff/search", json={"face_id": face["id"]})
    keyed = {"headers": {"idempotency-key": "once"}}

    # deletions last, so that the others find what they are about
    for operation in sorted(operations(clients.app()), key=lambda operation: operation.method == "DELETE"):
        arguments = operation.arguments | (keyed if operation.path.endswith("/persons") else {})
        response = await api.request(operation.method, operation.path, **arguments)

        assert response.status_code < 500, operation
    assert gallery.called == GALLERY_OPERATIONS
