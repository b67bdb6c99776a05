"""The client of faceserve: every operation of `/v1`, typed, for threads (`Client`) and for asyncio (`AsyncClient`)."""

from faceserve_client.asynchronous import AsyncClient
from faceserve_client.errors import (
    BadRequest,
    CollectionExists,
    CollectionModelMismatch,
    CollectionNotFound,
    Conflict,
    ConnectionFailed,
    FaceserveError,
    Forbidden,
    NoFaceInImage,
    NotFound,
    Overloaded,
    PersonExists,
    PersonNotFound,
    RegistrationFailed,
    StatusError,
    TimedOut,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from faceserve_client.images import Image, NotAnImage
from faceserve_client.synchronous import Client
from faceserve_client.unset import UNSET, Unset

__all__ = [
    "UNSET",
    "AsyncClient",
    "BadRequest",
    "Client",
    "CollectionExists",
    "CollectionModelMismatch",
    "CollectionNotFound",
    "Conflict",
    "ConnectionFailed",
    "FaceserveError",
    "Forbidden",
    "Image",
    "NoFaceInImage",
    "NotAnImage",
    "NotFound",
    "Overloaded",
    "PersonExists",
    "PersonNotFound",
    "RegistrationFailed",
    "StatusError",
    "TimedOut",
    "TooLarge",
    "Unauthorized",
    "Unavailable",
    "Unprocessable",
    "Unset",
]
