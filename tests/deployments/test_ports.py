"""Every operation of the gallery is on the port, and is marked as what it is."""

import ast
import inspect
import textwrap

from deployments.gallery_port import GALLERY_OPERATIONS, GalleryPort
from store.gallery import Gallery
from store.opened import OpenGallery


def test_every_operation_of_the_gallery_is_on_the_port() -> None:
    public = {name for name in dir(Gallery) if not name.startswith("_")}

    assert set(GALLERY_OPERATIONS) == public - set(dir(OpenGallery))
    assert {name for name in vars(GalleryPort) if not name.startswith("_")} == set(GALLERY_OPERATIONS)


def test_an_operation_that_writes_is_marked_as_a_write() -> None:
    for name, kind in GALLERY_OPERATIONS.items():
        body = ast.parse(textwrap.dedent(inspect.getsource(getattr(Gallery, name))))
        called = {node.attr for node in ast.walk(body) if isinstance(node, ast.Attribute)}

        assert kind == "write" or "_write" not in called, name
