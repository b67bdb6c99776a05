"""Errors of the store.

StoreError
├── StoreUnavailable
│   └── DatabaseRefused
├── SchemaMismatch
├── UnsupportedDatabase
├── CollectionNotFound, PersonNotFound, FaceNotFound, FaceImageNotFound
├── CollectionExists, PersonExists, ExternalIdExists
├── CollectionNotEmpty
├── CollectionModelMismatch
├── CollectionCapacityExceeded, PersonFaceLimitExceeded
├── IdempotencyKeyReused, OutcomeUnreadable
├── PersonSearchTooSlow
├── InvalidValue
└── LocalDatabaseFailed

Arguments are stored verbatim, so that every error survives pickling; texts are made in `__str__`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class StoreError(Exception):
    """The store could not do what was asked."""

    code: ClassVar[str] = "store_error"

    @property
    def details(self) -> Mapping[str, Any]:
        """The facts that help to mend what was asked, as JSON."""
        return {}

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class StoreUnavailable(StoreError):
    """The database cannot be reached right now, or is too busy; try again."""

    code = "database_unavailable"


class DatabaseRefused(StoreUnavailable):
    """The database does not let the service in."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"The database does not let the service in: {self.reason}."


class SchemaMismatch(StoreError):
    """The database has another schema version than this release."""

    code = "schema_mismatch"

    def __init__(self, expected: int, found: int) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return (
            f"Expected schema version {self.expected}; the database has {self.found}. "
            f"{'Run `faceserve migrate`.' if self.found < self.expected else 'Deploy the newer release.'}"
        )


class UnsupportedDatabase(StoreError):
    """The database is too old."""

    code = "unsupported_database"

    def __init__(self, what: str, expected: str, found: str) -> None:
        super().__init__(what, expected, found)
        self.what = what
        self.expected = expected
        self.found = found

    def __str__(self) -> str:
        return f"Expected {self.what} {self.expected} or newer; found {self.found}."


class _NotFound(StoreError):
    """The resource was not found."""

    noun: ClassVar[str] = "resource"

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"{self.noun.capitalize()} '{self.id}' was not found."


class CollectionNotFound(_NotFound):
    """The collection was not found."""

    code = "collection_not_found"
    noun = "collection"


class PersonNotFound(_NotFound):
    """The person was not found."""

    code = "person_not_found"
    noun = "person"


class FaceNotFound(_NotFound):
    """The face was not found."""

    code = "face_not_found"
    noun = "face"


class CalibrationNotFound(_NotFound):
    """The calibration was not found."""

    code = "calibration_not_found"
    noun = "calibration"


class FaceImageNotFound(_NotFound):
    """The face has no saved image."""

    code = "face_image_not_found"
    noun = "face"

    def __str__(self) -> str:
        return f"Face '{self.id}' has no saved image."


class _Exists(StoreError):
    """The resource exists already."""

    noun: ClassVar[str] = "resource"

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"{self.noun[0].upper()}{self.noun[1:]} '{self.id}' exists already."


class CollectionExists(_Exists):
    """The collection exists already."""

    code = "collection_exists"
    noun = "collection"


class PersonExists(_Exists):
    """The person exists already."""

    code = "person_exists"
    noun = "person"


class ExternalIdExists(_Exists):
    """The external id is taken by another person of the collection."""

    code = "external_id_exists"
    noun = "external id"


class CollectionNotEmpty(StoreError):
    """The collection still has persons; delete them first, or use force=true."""

    code = "collection_not_empty"

    def __init__(self, id: str, person_count: int) -> None:
        super().__init__(id, person_count)
        self.id = id
        self.person_count = person_count

    @property
    def details(self) -> Mapping[str, Any]:
        return {"person_count": self.person_count}

    def __str__(self) -> str:
        return f"Collection '{self.id}' still has {self.person_count} persons; delete them first, or use force=true."


class CollectionModelMismatch(StoreError):
    """The collection is bound to another embedding contract."""

    code = "collection_model_mismatch"

    def __init__(self, id: str, expected: str, found: str) -> None:
        super().__init__(id, expected, found)
        self.id = id
        self.expected = expected
        self.found = found

    @property
    def details(self) -> Mapping[str, Any]:
        return {"expected_embedding_contract_id": self.expected, "provided_embedding_contract_id": self.found}

    def __str__(self) -> str:
        return f"Collection '{self.id}' is bound to embedding contract {self.expected}; found {self.found}."


class CollectionCapacityExceeded(StoreError):
    """The collection's capacity would be exceeded."""

    code = "collection_capacity_exceeded"

    def __init__(self, capacity_rows: int, requested_rows: int) -> None:
        super().__init__(capacity_rows, requested_rows)
        self.capacity_rows = capacity_rows
        self.requested_rows = requested_rows

    @property
    def details(self) -> Mapping[str, Any]:
        return {"capacity_rows": self.capacity_rows, "requested_rows": self.requested_rows}

    def __str__(self) -> str:
        return f"The collection holds at most {self.capacity_rows} faces; this would make it {self.requested_rows}."


class PersonFaceLimitExceeded(StoreError):
    """The person would have more faces than the collection allows."""

    code = "person_face_limit_exceeded"

    def __init__(self, max_faces: int, requested_faces: int) -> None:
        super().__init__(max_faces, requested_faces)
        self.max_faces = max_faces
        self.requested_faces = requested_faces

    @property
    def details(self) -> Mapping[str, Any]:
        return {"max_faces": self.max_faces, "requested_faces": self.requested_faces}

    def __str__(self) -> str:
        return f"A person has at most {self.max_faces} faces here; this write would make it {self.requested_faces}."


class IdempotencyKeyReused(StoreError):
    """The idempotency key was used before, for another request."""

    code = "idempotency_key_reused"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return f"The idempotency key '{self.key}' was used before, for another request."


class OutcomeUnreadable(StoreError):
    """The write under the idempotency key was carried out, but this release cannot read what it answered."""

    code = "idempotency_outcome_unreadable"

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key

    def __str__(self) -> str:
        return (
            f"The write under the idempotency key '{self.key}' was carried out by another release, whose answer cannot "
            "be repeated; read what it wrote."
        )


class PersonSearchTooSlow(StoreError):
    """The persons of a collection cannot be searched for a text in the time that is given."""

    code = "person_search_too_slow"

    def __init__(self, limit_s: float) -> None:
        super().__init__(limit_s)
        self.limit_s = limit_s

    @property
    def details(self) -> Mapping[str, Any]:
        return {"limit_s": self.limit_s}

    def __str__(self) -> str:
        return f"The search for persons took longer than {self.limit_s} s; list them by pages, or read one by its id."


class InvalidValue(StoreError):
    """A value cannot be stored."""

    code = "invalid_request"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"The value of '{self.field}' cannot be stored: {self.problem}."


class LocalDatabaseFailed(StoreError):
    """The embedded database could not be started or stopped."""

    code = "local_database_failed"

    def __init__(self, step: str, output: str) -> None:
        super().__init__(step, output)
        self.step = step
        self.output = output

    def __str__(self) -> str:
        return f"The embedded PostgreSQL failed to {self.step}. {self.output}".rstrip()
