"""What a call raises.

FaceserveError
├── ConnectionFailed         no answer came
│   └── TimedOut             not in time
└── StatusError              the service refused; a class for each kind of refusal
    ├── BadRequest 400, Unauthorized 401, Forbidden 403, TooLarge 413, UnsupportedMediaType 415
    ├── NotFound 404         CollectionNotFound, PersonNotFound, FaceNotFound, FaceImageNotFound
    ├── Conflict 409         CollectionExists, PersonExists, ExternalIdExists, CollectionModelMismatch, …
    ├── Unprocessable 422    NoFaceInImage, RegistrationFailed
    ├── Overloaded 429
    └── ServerFailed 5xx     Unavailable 503
"""

import json
from collections.abc import Mapping
from typing import Any


class FaceserveError(Exception):
    """A call did not succeed."""


class ConnectionFailed(FaceserveError):
    """No answer came from the service. A write may have happened."""


class TimedOut(ConnectionFailed):
    """No answer came in time. A write may have happened."""


class StatusError(FaceserveError):
    """The service refused a request. `code` is stable, `message` is for people, `details` are facts.

    `request_id`: what to tell the operator. `retry_after_s`: how long the service asks to wait, where it does.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, code, message, details, request_id, retry_after_s)
        self.status = status
        self.code = code
        self.message = message
        self.details = dict(details or {})
        self.request_id = request_id
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.message} ({self.status} {self.code}, request {self.request_id})"


class BadRequest(StatusError):
    """400, 405, 408: the request is malformed, or did not arrive whole."""


class Unauthorized(StatusError):
    """401: the token is missing or not valid."""


class Forbidden(StatusError):
    """403: the token does not allow this."""


class NotFound(StatusError):
    """404: something is not there."""


class CollectionNotFound(NotFound):
    """The collection is not there, or is another tenant's."""


class PersonNotFound(NotFound):
    """The person is not there."""


class FaceNotFound(NotFound):
    """The face is not there."""


class FaceImageNotFound(NotFound):
    """The collection kept no picture of the face."""


class Conflict(StatusError):
    """409: the request conflicts with what is stored."""


class CollectionExists(Conflict):
    """A collection of this id is there."""


class PersonExists(Conflict):
    """A person of this id is there."""


class ExternalIdExists(Conflict):
    """Another person has this external id."""


class CollectionModelMismatch(Conflict):
    """The collection was made with another recogniser than the one that runs."""


class IdempotencyKeyReused(Conflict):
    """The idempotency key was used for another request."""


class TooLarge(StatusError):
    """413: an image or the body is over a limit."""


class UnsupportedMediaType(StatusError):
    """415: the body is of a type that is not taken."""


class Unprocessable(StatusError):
    """422: an image cannot be used."""


class NoFaceInImage(Unprocessable):
    """There is no face in the image."""


class RegistrationFailed(Unprocessable):
    """No image was enrolled; `rejected_images` says why for each."""

    @property
    def rejected_images(self) -> list[Mapping[str, Any]]:
        """Each with `index`, `filename`, `reason`, and what led to it."""
        return list(self.details.get("rejected_images", ()))


class Overloaded(StatusError):
    """429: too many requests; repeat after `retry_after_s`."""


class ServerFailed(StatusError):
    """5xx: the service failed."""


class Unavailable(ServerFailed):
    """502, 503, 504: a part of the service cannot be reached right now. A write may have happened."""


BY_STATUS: Mapping[int, type[StatusError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: Unprocessable,
    429: Overloaded,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
BY_CODE: Mapping[tuple[int, str], type[StatusError]] = {
    (404, "collection_not_found"): CollectionNotFound,
    (404, "person_not_found"): PersonNotFound,
    (404, "face_not_found"): FaceNotFound,
    (404, "face_image_not_found"): FaceImageNotFound,
    (409, "collection_exists"): CollectionExists,
    (409, "person_exists"): PersonExists,
    (409, "external_id_exists"): ExternalIdExists,
    (409, "collection_model_mismatch"): CollectionModelMismatch,
    (409, "idempotency_key_reused"): IdempotencyKeyReused,
    (422, "face_not_found"): NoFaceInImage,
    (422, "registration_failed"): RegistrationFailed,
}
MAX_SHOWN = 200  # characters of an answer that is not the service's own


def error_of(status: int, content: bytes, request_id: str | None, retry_after_s: float | None) -> StatusError:
    """Return the error that an answer is. One without our form, from a proxy in between, has the code `http_STATUS`."""
    try:
        body = json.loads(content)
        error = body["error"]
        code, message, details = str(error["code"]), str(error["message"]), error.get("details", {})
        request_id = body.get("request_id") or request_id
    except (ValueError, TypeError, KeyError, AttributeError):
        code, details = f"http_{status}", {}
        message = content[:MAX_SHOWN].decode("utf-8", "replace").strip() or "The answer has no body."
    fallback = ServerFailed if status >= 500 else BadRequest
    kind = BY_CODE.get((status, code)) or BY_STATUS.get(status, fallback)
    return kind(status, code, message, details, request_id, retry_after_s)
