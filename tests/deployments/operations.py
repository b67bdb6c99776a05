"""Every operation of the application, with a request for it that is in order."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from deployments.http.access.requirement import OPEN_PATHS
from tests.deployments.colours import drawing
from tests.deployments.service import multipart

PLACES = {
    "collection_id": "staff",
    "person_id": "ada",
    "face_id": "00000000-0000-7000-8000-000000000000",
    "digest": "0123456789abcdef",
    "room": "core",
    "file": "start.js",
    "calibration_id": "00000000-0000-7000-8000-000000000001",
}
PERSONS = "/v1/collections/{collection_id}/persons"

IMAGE = multipart("image", drawing(0))
IMAGES = multipart("images", drawing(0))
ARGUMENTS: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/detect"): IMAGE,
    ("POST", "/v1/embeddings"): IMAGE,
    ("POST", "/v1/compare"): {"files": {name: ("face.png", drawing(0)) for name in ("source", "target")}},
    ("POST", "/v1/collections"): {"json": {"id": "guests", "name": "Guests"}},
    ("PATCH", "/v1/collections/{collection_id}"): {"json": {"name": "People"}},
    ("DELETE", "/v1/collections/{collection_id}"): {"params": {"force": "true"}},
    ("POST", "/v1/collections/{collection_id}/search"): IMAGE,
    ("POST", "/v1/collections/{collection_id}/identify"): IMAGE,
    ("POST", PERSONS): IMAGES,
    ("POST", "/v1/collections/{collection_id}/calibrations"): {"json": {"persons": 10}},
    ("POST", "/v1/collections/{collection_id}/calibrations/{calibration_id}/advance"): {"json": {"seconds": 1}},
    ("POST", "/v1/collections/{collection_id}/calibrations/{calibration_id}/apply"): {"json": {"max_fpir": 0.01}},
    ("PATCH", f"{PERSONS}/{{person_id}}"): {"json": {"name": "Ada"}},
    ("POST", f"{PERSONS}/{{person_id}}/merge"): {"json": {"source_person_id": "bob"}},
    ("POST", f"{PERSONS}/{{person_id}}/verify"): IMAGE,
    ("POST", f"{PERSONS}/{{person_id}}/faces"): IMAGES,
    ("DELETE", f"{PERSONS}/{{person_id}}/faces"): {"params": {"all": "true"}},
    ("POST", "/v1/collections/{collection_id}/archive"): {"json": {"embedding_contract_id": "x"}},
    ("POST", "/v1/collections/{collection_id}/imports/plan"): {
        "json": {"items": [{"sha256": "0" * 64, "person_id": "ada"}]}
    },
    ("POST", f"{PERSONS}/{{person_id}}/faces/{{face_id}}/move"): {"json": {"person_id": "bob"}},
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What the application routes: `arguments` are those of an HTTP client's request."""

    method: str
    template: str
    arguments: dict[str, Any] = field(hash=False, default_factory=dict)

    @property
    def path(self) -> str:
        return self.template.format_map(PLACES)

    @property
    def is_open(self) -> bool:
        return self.template in OPEN_PATHS


def operations(app: FastAPI) -> Iterator[Operation]:
    """Return everything that the application routes, not only what its document says."""
    for context in iter_route_contexts(app.routes):
        for method in sorted(context.methods):
            yield Operation(method, context.path, ARGUMENTS.get((method, context.path), {}))
