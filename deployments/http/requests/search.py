"""Who is it: search, identify, verify."""

from typing import Self

from pydantic import Field, model_validator

from configs.tuning import MAX_FACES
from deployments.http.requests.fields import DEPRECATED, Body, Candidates, Share, Similarity
from store.types import EMBEDDING_DIMENSION


class _Decided(Body):
    """Options of what decides: at a `threshold`, by default the collection's, or at a rate of strangers."""

    threshold: Similarity | None = None
    max_stranger_rate: Share | None = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.threshold is not None and self.max_stranger_rate is not None:
            raise ValueError("expected threshold or max_stranger_rate, found both")
        return self


class SearchOptions(_Decided):
    """Options of `search`: at most `limit` persons at or above the threshold.

    `max_stranger_rate`: decides at the lowest score that so many strangers reach at most; needs a calibration.
    """

    limit: Candidates = 5
    face_selection: str | None = Field(default=None, json_schema_extra=DEPRECATED)


class ProbeSearch(SearchOptions):
    """A search by what is known already: an embedding of 512 numbers, or an enrolled face."""

    embedding: list[float] | None = Field(default=None, min_length=EMBEDDING_DIMENSION, max_length=EMBEDDING_DIMENSION)
    face_id: str | None = None

    @model_validator(mode="after")
    def _one_probe(self) -> Self:
        if (self.embedding is None) == (self.face_id is None):
            raise ValueError("expected one of image, embedding and face_id")
        return self


class IdentifyOptions(_Decided):
    """Options of `identify`: for each face at most `limit` candidates, decided at the threshold."""

    limit: Candidates = 5
    max_faces: int = Field(default=MAX_FACES, ge=1, le=MAX_FACES)


class VerifyOptions(_Decided):
    """Options of `verify`."""
