"""What an import still has to bring."""

from collections.abc import Mapping, Sequence

from faceserve_client.calls import Call, path_of, whole
from faceserve_client.models.imports import ImportPlanResponse


def plan_import(collection_id: str, items: Sequence[Mapping[str, str]]) -> Call[ImportPlanResponse]:
    """Return which of up to 1,000 files the collection lacks. Each item has `sha256`, in hex, and `person_id`."""
    return Call(
        "POST",
        path_of("collections", collection_id, "imports", "plan"),
        whole(ImportPlanResponse),
        body={"items": [dict(item) for item in items]},
    )
