"""Persons, their faces, and the photos that they are enrolled from."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from deployments.decisions.recognition import ReviewMode
from deployments.decisions.review import EnrollmentOptions
from deployments.http.requests.fields import Body, ExternalId, Metadata, Patch, Text, parsed
from store.types import EmbeddingSource


class PersonPatch(Patch):
    """Changes of a person."""

    NULLABLE = ("name", "external_id")

    name: Text | None = Field(default=None, max_length=200)
    external_id: ExternalId = None
    metadata: Metadata | None = None


class PersonMerge(Body):
    """The person whose faces move over, and who is gone afterwards."""

    source_person_id: str


class FaceMove(Body):
    """The person that a face moves to."""

    person_id: str


class FaceEnrollment(Body):
    """How images become faces of a person."""

    review_mode: ReviewMode = "off"
    embedding_mode: EmbeddingSource = "server"
    external_embeddings: Annotated[list[Any] | None, BeforeValidator(parsed)] = None
    embedding_contract_id: str | None = Field(default=None, max_length=256)

    @property
    def options(self) -> EnrollmentOptions:
        """The same as the decisions take it."""
        return EnrollmentOptions(
            review_mode=self.review_mode,
            embedding_mode=self.embedding_mode,
            external_embeddings=self.external_embeddings,
            embedding_contract_id=self.embedding_contract_id,
        )


class PersonEnrollment(FaceEnrollment):
    """A new person, with the images that come with it. Without an id, one is made."""

    id: str | None = None
    name: Text | None = Field(default=None, max_length=200)
    external_id: ExternalId = None
    metadata: Annotated[Metadata, BeforeValidator(parsed)] = Field(default_factory=dict)
