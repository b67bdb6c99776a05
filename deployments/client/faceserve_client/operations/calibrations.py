"""What a score means in a collection."""

from collections.abc import Sequence

from faceserve_client.calls import Call, answer, given, path_of, whole
from faceserve_client.models.calibrations import (
    Calibration,
    CalibrationChoiceResponse,
    CalibrationListResponse,
    CalibrationReportResponse,
    CalibrationResponse,
)


def start_calibration(
    collection_id: str, *, persons: int | None = None, idempotency_key: str | None = None
) -> Call[Calibration]:
    """Begin to compare so many random persons, at most 5,000, with everybody else."""
    return Call(
        "POST",
        path_of("collections", collection_id, "calibrations"),
        answer(CalibrationResponse, lambda found: found.calibration),
        body=given(persons=persons),
        is_write=True,
        key=idempotency_key,
    )


def advance_calibration(
    collection_id: str, calibration_id: str, *, seconds: float | None = None, idempotency_key: str | None = None
) -> Call[Calibration]:
    """Compare further faces for some seconds, at most 5. Repeat it until `finished_at` is there."""
    return Call(
        "POST",
        path_of("collections", collection_id, "calibrations", calibration_id, "advance"),
        answer(CalibrationResponse, lambda found: found.calibration),
        body=given(seconds=seconds),
        is_write=True,
        key=idempotency_key,
    )


def list_calibrations(collection_id: str) -> Call[CalibrationListResponse]:
    """Return the calibrations that are kept, at most 20, newest first."""
    return Call("GET", path_of("collections", collection_id, "calibrations"), whole(CalibrationListResponse))


def get_calibration(
    collection_id: str, calibration_id: str, *, size: Sequence[int] = ()
) -> Call[CalibrationReportResponse]:
    """Return the error rates by threshold, for the gallery as it is and for galleries of each `size`, up to 8."""
    return Call(
        "GET",
        path_of("collections", collection_id, "calibrations", calibration_id),
        whole(CalibrationReportResponse),
        options=given(size=list(size)),
    )


def apply_calibration(
    collection_id: str,
    calibration_id: str,
    max_fpir: float,
    *,
    at: str | int | None = None,
    extrapolate: bool | None = None,
    dry_run: bool | None = None,
    idempotency_key: str | None = None,
) -> Call[CalibrationChoiceResponse]:
    """Set the collection's threshold to the lowest at which at most `max_fpir` of strangers are taken for a member.

    `at`: "present", "capacity" (by default), or a number of persons. Raises Conflict where there are too few persons to
    count so small a rate, unless `extrapolate`.
    """
    return Call(
        "POST",
        path_of("collections", collection_id, "calibrations", calibration_id, "apply"),
        whole(CalibrationChoiceResponse),
        body=given(max_fpir=max_fpir, at=at, extrapolate=extrapolate, dry_run=dry_run),
        is_write=True,
        key=idempotency_key,
    )
