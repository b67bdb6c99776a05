"""Every operation of the service's own OpenAPI document, and a request for it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.deployments.pictures import encoded, landscape

METHODS = ("get", "put", "post", "patch", "delete", "head", "options", "trace")
SCOPE_ROW = re.compile(r"\| `(\w+) (\S+)` \| `?([\w:]+)`? \|")


@dataclass(frozen=True, slots=True)
class Operation:
    """A method and the template of a path."""

    method: str
    template: str
    body_types: tuple[str, ...]

    def path(self, places: Mapping[str, str]) -> str:
        """Return the path at `places`, by the template's names."""
        return self.template.format_map(places)

    def arguments(self) -> dict[str, Any]:
        """Return an HTTP client's arguments of a request that is read and not refused for its form."""
        if "multipart/form-data" in self.body_types:
            picture = encoded(landscape())
            names = {"/v1/compare": ("source", "target")}.get(self.template)
            enrols = self.template.endswith(("/persons", "/faces"))
            return {"files": {name: picture for name in names or (("images",) if enrols else ("image",))}}
        if "application/json" in self.body_types:
            return {"json": JSON.get((self.method, self.template.rsplit("/", 1)[1]), {"name": "X"})}
        return {"params": PARAMETERS.get((self.method, self.template), {})}


# what has to be said with a deletion; other operations refuse these parameters
PARAMETERS: Mapping[tuple[str, str], dict[str, str]] = {
    ("DELETE", "/v1/collections/{collection_id}"): {"force": "true"},
    ("DELETE", "/v1/collections/{collection_id}/persons/{person_id}/faces"): {"all": "true"},
}
JSON: Mapping[tuple[str, str], dict[str, Any]] = {
    ("POST", "archive"): {"embedding_contract_id": "x"},
    ("POST", "plan"): {"items": [{"sha256": "0" * 64, "person_id": "bob"}]},
    ("POST", "calibrations"): {},
    ("POST", "advance"): {"seconds": 0.1},
    ("POST", "apply"): {"max_fpir": 0.5},
    ("POST", "collections"): {"id": "made", "name": "Made"},
    ("POST", "merge"): {"source_person_id": "bob"},
    ("POST", "move"): {"person_id": "bob"},
}


def operations(url: str) -> list[Operation]:
    """Return what the service at `url` says that it offers."""
    document = httpx.get(f"{url}/openapi.json", timeout=30, trust_env=False).raise_for_status().json()
    return [
        Operation(method.upper(), template, tuple(told.get("requestBody", {}).get("content", ())))
        for template, item in document["paths"].items()
        for method, told in item.items()
        if method in METHODS
    ]


def scopes(page: str) -> dict[tuple[str, str], str]:
    """Return the scope of every operation in the table of docs/api.md, `open` for none."""
    return {(method, path): scope for method, path, scope in SCOPE_ROW.findall(page)}
