"""What an import still has to bring."""

from fastapi import APIRouter, Request

from deployments import bounds
from deployments.http.access.requirement import requires
from deployments.http.bodies.json_body import read_json
from deployments.http.context import Caller, Context
from deployments.http.openapi import error_responses, json_body
from deployments.http.requests.imports import ImportQuestion
from deployments.http.responses.imports import ImportPlanResponse

router = APIRouter(prefix="/v1/collections/{collection_id}/imports", tags=["imports"], responses=error_responses())


@router.post("/plan", dependencies=requires("faces:read"), openapi_extra=json_body(ImportQuestion))
async def plan_import(request: Request, collection_id: str, context: Context, caller: Caller) -> ImportPlanResponse:
    """Return which of up to 1,000 files, by their sha256, the collection lacks. Nothing is written."""
    body = await read_json(request, ImportQuestion, bounds.PLAN_BYTES)
    known = await context.services.gallery.known_sources(
        caller.tenant,
        collection_id,
        sorted({item.sha256 for item in body.items}),
        sorted({item.person_id for item in body.items}),
    )
    return ImportPlanResponse.of(body.items, known)
