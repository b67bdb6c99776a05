"""Errors to HTTP: the one place that knows status codes."""

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

import deployments.decisions.errors as decision_errors
import encoders.errors as encoder_errors
import store.errors as store_errors
from deployments.http.access.query import UnexpectedQuery
from deployments.http.access.tokens import CollectionNotGranted, InsufficientScope, Unauthorized
from deployments.http.cursors import InvalidCursor
from deployments.ports import AnswerTooLarge, Overloaded, Unavailable

LOGGER = logging.getLogger("faceserve.problems")
RETRY_AFTER_S = 1
MAX_REPEATED = 64  # characters of a client's own words in a message


class Problem(Exception):
    """A request that cannot be fulfilled: what the client is told. `details` is JSON."""

    status: ClassVar[int] = 400
    code: ClassVar[str] = "invalid_request"

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message, details)
        self.message = message
        self.details = dict(details or {})

    def __str__(self) -> str:
        return self.message


class InvalidRequest(Problem):
    """The request is malformed."""


class InvalidPersonId(Problem):
    """The person's id is not a name."""

    code = "invalid_person_id"


class InvalidMetadata(Problem):
    """The metadata is not a small JSON object."""

    code = "invalid_metadata"


class TooManyImages(Problem):
    """More images than one request may carry."""

    code = "too_many_images"


class SearchCapacityTooLarge(Problem):
    """The collection asks for more faces than this deployment allows."""

    code = "search_capacity_too_large"


class InvalidDetectionProfile(Problem):
    """The detector cannot run on inputs like these."""

    code = "invalid_detection_profile"


class DetectionOverride(Problem):
    """A request tried to set what the collection's detection profile sets."""

    code = "request_detection_override_not_supported"


class InvalidExternalEmbeddings(Problem):
    """External embeddings that are no list of vectors."""

    code = "invalid_external_embeddings"


class RequestTooLarge(Problem):
    """The body is over the limit."""

    status = 413
    code = "request_too_large"


class UnsupportedMediaType(Problem):
    """The body is of a type that the operation does not take."""

    status = 415
    code = "unsupported_media_type"


class BodyTimeout(Problem):
    """The body did not arrive in time."""

    status = 408
    code = "body_timeout"


class RequestTimeout(Problem):
    """The request took too long."""

    status = 503
    code = "request_timeout"


class Interrupted(Problem):
    """What worked on the request is gone; nobody knows how far it came."""

    status = 503
    code = "unavailable"

    def __init__(self) -> None:
        super().__init__(
            "The request was interrupted and may have been carried out; repeat it, a write under its Idempotency-Key."
        )


STATUSES: Mapping[type[Exception], int] = {
    Unauthorized: 401,
    InsufficientScope: 403,
    CollectionNotGranted: 403,
    UnexpectedQuery: 400,
    InvalidCursor: 400,
    AnswerTooLarge: 400,
    Overloaded: 429,
    Unavailable: 503,
    decision_errors.NoFaceFound: 422,
    decision_errors.RegistrationFailed: 422,
    decision_errors.EmbeddingContractMismatch: 409,
    decision_errors.CalibrationUnfinished: 409,
    decision_errors.CalibrationOutdated: 409,
    decision_errors.NotEnoughPersons: 409,
    decision_errors.NotCalibrated: 409,
    decision_errors.DecisionError: 400,
    encoder_errors.ImageTooLarge: 413,
    encoder_errors.ImageError: 422,
    encoder_errors.EncoderError: 503,
    store_errors.InvalidValue: 400,
    store_errors.CollectionNotFound: 404,
    store_errors.PersonNotFound: 404,
    store_errors.FaceNotFound: 404,
    store_errors.FaceImageNotFound: 404,
    store_errors.CalibrationNotFound: 404,
    store_errors.CollectionExists: 409,
    store_errors.PersonExists: 409,
    store_errors.ExternalIdExists: 409,
    store_errors.CollectionNotEmpty: 409,
    store_errors.CollectionModelMismatch: 409,
    store_errors.CollectionCapacityExceeded: 409,
    store_errors.PersonFaceLimitExceeded: 409,
    store_errors.IdempotencyKeyReused: 409,
    store_errors.OutcomeUnreadable: 409,
    store_errors.PersonSearchTooSlow: 400,
    store_errors.StoreError: 503,
}

HTTP_CODES = {404: "route_not_found", 405: "method_not_allowed", 413: "request_too_large"}


def envelope(code: str, message: str, request_id: str, details: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the body of an error response."""
    return {"error": {"code": code, "message": message, "details": dict(details or {})}, "request_id": request_id}


def status_of(error: Exception) -> int | None:
    """Return the HTTP status of one of our errors, None for an exception that is not ours."""
    if isinstance(error, Problem):
        return error.status
    if isinstance(error, decision_errors.UnusableImage):
        return status_of(error.error)
    for kind in type(error).__mro__:
        if kind in STATUSES:
            return STATUSES[kind]
    return None


def code_of(error: Exception) -> str:
    """Return the stable code of an error; an exception that is not ours has one in common with all others."""
    if isinstance(error, decision_errors.UnusableImage):
        return error.error.code
    return "internal_error" if status_of(error) is None else str(getattr(error, "code", "error"))


def details_of(error: Exception) -> Mapping[str, Any]:
    """Return the facts of one of our errors that help a client to mend its request."""
    details: Mapping[str, Any] = getattr(error, "details", {})
    return details


def problem_response(error: Exception, request_id: str) -> JSONResponse:
    """Return the response to `error`; an exception that is not ours becomes a 500 that says nothing."""
    status = status_of(error)
    if status is None:
        LOGGER.error("request %s failed: %s", request_id, type(error).__name__, exc_info=error)
        return JSONResponse(
            envelope(code_of(error), "The server could not complete the request.", request_id), status_code=500
        )
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if status == 429:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if status == 408:
        headers["Connection"] = "close"  # what is still to come of the body is nobody's
    return JSONResponse(
        envelope(code_of(error), str(error), request_id, details_of(error)), status_code=status, headers=headers
    )


def install_handlers(app: FastAPI) -> None:
    """Make `app` answer every error with the envelope."""

    async def on_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        problem = validation_problem(error.errors())
        request.state.error_code = problem.code
        return problem_response(problem, request.state.request_id)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        code = HTTP_CODES.get(error.status_code, "http_error")
        request.state.error_code = code
        body = envelope(code, str(error.detail), request.state.request_id)
        headers = {"Allow": ", ".join(allowed_methods(request))} if error.status_code == 405 else error.headers
        return JSONResponse(body, status_code=error.status_code, headers=headers)

    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(HTTPException, on_http)


def allowed_methods(request: Request) -> list[str]:
    """Return the methods that the request's path takes; the router knows those of the first route that fits."""
    routes = request.app.routes
    allowed = [
        method
        for method in ("GET", "POST", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*allowed, "HEAD"] if "GET" in allowed else allowed


def validation_problem(errors: Sequence[Any]) -> Problem:
    """Return the problem that pydantic's `errors` are; it says where, what was expected and what was found."""
    message = f"The request is malformed: {'; '.join(_describe(error) for error in errors[:3])}."
    place = tuple(errors[0]["loc"])
    if place[:1] == ("metadata",):
        return InvalidMetadata(message)
    if place[:2] == ("detection", "input_sizes"):
        return InvalidDetectionProfile(message)
    if place[:1] == ("external_embeddings",):
        return InvalidExternalEmbeddings(message)
    return InvalidRequest(message)


def _describe(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"] if part not in ("query", "path", "body"))
    if error["type"] == "value_error":  # one of ours, which says what it found
        return f"{place[:MAX_REPEATED] or 'body'}: {error['ctx']['error']}"
    message = f"{place[:MAX_REPEATED] or 'body'}: {error['msg']}"
    value = error.get("input")
    if error["type"] == "extra_forbidden" or not isinstance(value, str | int | float | None):
        return message
    found = json.dumps(value, ensure_ascii=False)
    return f"{message}; found {found if len(found) <= MAX_REPEATED else found[:MAX_REPEATED] + '...'}"
