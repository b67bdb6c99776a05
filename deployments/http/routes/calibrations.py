"""Calibrations: what a score means in a collection. The client advances them step by step."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request

from deployments.decisions.calibration.policy import Policy
from deployments.decisions.calibration.report import applied, choice, report
from deployments.decisions.errors import NotEnoughPersons
from deployments.http.access.requirement import requires
from deployments.http.bodies.json_body import read_json
from deployments.http.context import Caller, Context, idempotency_of
from deployments.http.openapi import error_responses, json_body
from deployments.http.requests.calibrations import CalibrationPolicy, CalibrationStart, CalibrationStep
from deployments.http.responses.calibrations import (
    CalibrationChoiceResponse,
    CalibrationListResponse,
    CalibrationReportResponse,
    CalibrationResponse,
)
from store.types import Collection

MOST_SIZES = 8

router = APIRouter(
    prefix="/v1/collections/{collection_id}/calibrations", tags=["calibrations"], responses=error_responses()
)
Sizes = Annotated[Sequence[Annotated[int, Query(ge=1, le=1_000_000_000)]], Query(max_length=MOST_SIZES)]


@router.post(
    "",
    status_code=201,
    dependencies=requires("collections:admin"),
    openapi_extra=json_body(CalibrationStart, writes=True),
)
async def start_calibration(
    request: Request, collection_id: str, context: Context, caller: Caller
) -> CalibrationResponse:
    """Begin to compare random persons of the collection with everybody else in it."""
    body = await read_json(request, CalibrationStart)
    calibration = await context.services.gallery.start_calibration(
        caller.tenant, collection_id, body.persons, idempotency=idempotency_of(request, body)
    )
    return CalibrationResponse.of(calibration)


@router.get("", dependencies=requires("faces:read"))
async def list_calibrations(collection_id: str, context: Context, caller: Caller) -> CalibrationListResponse:
    """Return the calibrations of the collection, at most 20, newest first."""
    collection = await context.services.gallery.get_collection(caller.tenant, collection_id)
    found = await context.services.gallery.list_calibrations(caller.tenant, collection_id)
    return CalibrationListResponse.of(found, collection)


@router.post(
    "/{calibration_id}/advance",
    dependencies=requires("collections:admin"),
    openapi_extra=json_body(CalibrationStep, writes=True),
)
async def advance_calibration(
    request: Request, collection_id: str, calibration_id: str, context: Context, caller: Caller
) -> CalibrationResponse:
    """Compare further faces for some seconds. Repeat it until `finished_at` is there."""
    body = await read_json(request, CalibrationStep)
    idempotency_of(request, body)  # checked, and not needed: what is done already is not done again
    calibration = await context.services.gallery.advance_calibration(
        caller.tenant, collection_id, calibration_id, body.seconds
    )
    return CalibrationResponse.of(calibration)


@router.get("/{calibration_id}", dependencies=requires("faces:read"))
async def get_calibration(
    collection_id: str, calibration_id: str, context: Context, caller: Caller, size: Sizes = ()
) -> CalibrationReportResponse:
    """Return by threshold how often strangers are taken for members, for each `size` of gallery, and members missed."""
    gallery = context.services.gallery
    collection = await gallery.get_collection(caller.tenant, collection_id)
    calibration = await gallery.get_calibration(caller.tenant, collection_id, calibration_id)
    scores = await gallery.calibration_scores(caller.tenant, collection_id, calibration_id)
    told = await asyncio.to_thread(report, calibration, scores, size, collection.threshold)  # 0.3 s of 5,000 persons
    return CalibrationReportResponse.of(calibration, told, collection.threshold)


@router.post(
    "/{calibration_id}/apply",
    dependencies=requires("collections:admin"),
    openapi_extra=json_body(CalibrationPolicy, writes=True),
)
async def apply_calibration(
    request: Request, collection_id: str, calibration_id: str, context: Context, caller: Caller
) -> CalibrationChoiceResponse:
    """Set the collection's threshold to the lowest that keeps an error rate, and tell from now on what scores mean."""
    body = await read_json(request, CalibrationPolicy)
    gallery = context.services.gallery
    collection = await gallery.get_collection(caller.tenant, collection_id)
    calibration = await gallery.get_calibration(caller.tenant, collection_id, calibration_id)
    scores = await gallery.calibration_scores(caller.tenant, collection_id, calibration_id)
    policy = Policy(body.max_fpir, _persons(body, collection), body.extrapolate)
    chosen = await asyncio.to_thread(choice, calibration, scores, policy)
    if chosen.threshold is None:
        raise NotEnoughPersons(body.max_fpir, calibration.persons_sampled, chosen.needs_persons)
    former = collection.threshold
    if not body.dry_run:
        kept = await asyncio.to_thread(applied, calibration, scores, former)
        collection = await gallery.apply_calibration(
            caller.tenant, collection_id, chosen.threshold, kept, idempotency=idempotency_of(request, body)
        )
        context.recent.forget(caller.tenant, collection_id)
        if collection.calibration is not None:  # of a repeated request: as it was the first time
            former = collection.calibration.former_threshold
    return CalibrationChoiceResponse.of(chosen, policy.persons, former, collection, is_applied=not body.dry_run)


def _persons(body: CalibrationPolicy, collection: Collection) -> int:
    if isinstance(body.at, int):
        return body.at
    if body.at == "present":
        return collection.person_count
    faces_per_person = max(1.0, collection.face_count / max(1, collection.person_count))
    return max(collection.person_count, round(collection.capacity_rows / faces_per_person))
