"""Errors of the decisions.

DecisionError
├── NoFaceFound
├── UnusableImage
├── InvalidEmbedding
├── TooManyCandidates
├── UnexpectedExternalEmbedding, MissingExternalEmbeddings, MissingEmbeddingContract
├── ExternalEmbeddingCountMismatch, EmbeddingContractMismatch
├── RegistrationFailed
└── CalibrationUnfinished, CalibrationOutdated, NotEnoughPersons, NotCalibrated

Arguments are stored verbatim, so that every error survives pickling; texts are made in `__str__`. `details`: the facts
that help a client to mend its request, as JSON.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from encoders.errors import ImageError


class DecisionError(Exception):
    """The request cannot be decided."""

    code: ClassVar[str] = "invalid_request"

    @property
    def details(self) -> Mapping[str, Any]:
        return {}

    def __str__(self) -> str:
        return type(self).__doc__ or self.code


class NoFaceFound(DecisionError):
    """There is no face in the image."""

    code = "face_not_found"

    def __init__(self, image: str) -> None:
        super().__init__(image)
        self.image = image

    @property
    def details(self) -> Mapping[str, Any]:
        return {"image": self.image}

    def __str__(self) -> str:
        return f"Expected a face in the {self.image}; found none."


class UnusableImage(DecisionError):
    """One image of several cannot be used; `error` says why."""

    def __init__(self, image: str, error: ImageError) -> None:
        super().__init__(image, error)
        self.image = image
        self.error = error

    @property
    def details(self) -> Mapping[str, Any]:
        return {**self.error.details, "image": self.image}

    def __str__(self) -> str:
        return f"In '{self.image}': {self.error}"


class InvalidEmbedding(DecisionError):
    """Expected an embedding of 512 numbers with unit length (within 0.0002)."""


class TooManyCandidates(DecisionError):
    """The answer would name too many candidates."""

    code = "too_many_candidates"

    def __init__(self, faces: int, limit: int, most: int) -> None:
        super().__init__(faces, limit, most)
        self.faces = faces
        self.limit = limit
        self.most = most

    @property
    def details(self) -> Mapping[str, Any]:
        return {"faces": self.faces, "limit": self.limit, "max_candidates": self.most}

    def __str__(self) -> str:
        return (
            f"Expected at most {self.most:,} candidates in an answer; {self.faces} faces with up to {self.limit} each "
            f"would be {self.faces * self.limit:,}. Lower limit or max_faces."
        )


class UnexpectedExternalEmbedding(DecisionError):
    """External embeddings need embedding_mode=external_trusted."""

    code = "unexpected_external_embedding"


class MissingExternalEmbeddings(DecisionError):
    """Expected external_embeddings, since embedding_mode is external_trusted."""

    code = "missing_external_embeddings"


class MissingEmbeddingContract(DecisionError):
    """Expected embedding_contract_id, since embedding_mode is external_trusted."""

    code = "missing_embedding_contract_id"


class ExternalEmbeddingCountMismatch(DecisionError):
    """There is not one external embedding for each image."""

    code = "external_embedding_count_mismatch"

    def __init__(self, images: int, embeddings: int) -> None:
        super().__init__(images, embeddings)
        self.images = images
        self.embeddings = embeddings

    @property
    def details(self) -> Mapping[str, Any]:
        return {"image_count": self.images, "embedding_count": self.embeddings}

    def __str__(self) -> str:
        return f"Expected {self.images} external embeddings, one for each image; found {self.embeddings}."


class EmbeddingContractMismatch(DecisionError):
    """The external embeddings are of another contract than the collection."""

    code = "embedding_contract_mismatch"

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(expected, found)
        self.expected = expected
        self.found = found

    @property
    def details(self) -> Mapping[str, Any]:
        return {"expected_embedding_contract_id": self.expected, "provided_embedding_contract_id": self.found}


class RegistrationFailed(DecisionError):
    """None of the images could be enrolled; `details` says why for each."""

    code = "registration_failed"

    def __init__(self, rejected: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(rejected)
        self.rejected = rejected

    @property
    def details(self) -> Mapping[str, Any]:
        return {"rejected_images": list(self.rejected)}


class CalibrationUnfinished(DecisionError):
    """The calibration has not been carried through yet."""

    code = "calibration_unfinished"

    def __init__(self, id: str, faces_compared: int, faces: int) -> None:
        super().__init__(id, faces_compared, faces)
        self.id = id
        self.faces_compared = faces_compared
        self.faces = faces

    @property
    def details(self) -> Mapping[str, Any]:
        return {"faces_compared": self.faces_compared, "faces": self.faces}

    def __str__(self) -> str:
        done = f"{self.faces_compared:,} of {self.faces:,} faces are compared"
        return f"Expected a finished calibration; {done}: advance it."


class CalibrationOutdated(DecisionError):
    """The collection has another embedding contract than the one that was calibrated; calibrate it anew."""

    code = "calibration_outdated"


class NotEnoughPersons(DecisionError):
    """The collection has too few persons to know so small an error rate."""

    code = "calibration_not_enough"

    def __init__(self, rate: float, persons: int, needs_persons: int) -> None:
        super().__init__(rate, persons, needs_persons)
        self.rate = rate
        self.persons = persons
        self.needs_persons = needs_persons

    @property
    def details(self) -> Mapping[str, Any]:
        return {"persons_sampled": self.persons, "needs_persons": self.needs_persons}

    def __str__(self) -> str:
        return (
            f"An error rate of {self.rate:g} cannot be counted on {self.persons:,} sampled persons: "
            f"{self.needs_persons:,} are needed. Ask for a higher rate, or allow an extrapolation."
        )


class NotCalibrated(DecisionError):
    """A threshold by the rate of strangers needs a collection with an applied calibration."""

    code = "collection_not_calibrated"
