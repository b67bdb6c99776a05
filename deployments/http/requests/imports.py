"""Imports."""

from pydantic import Field

from deployments.http.requests.fields import Body


class ImportItem(Body):
    """A file that somebody would enrol: the sha256 of its bytes in hex, and for whom."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    person_id: str = Field(min_length=1, max_length=200)


class ImportQuestion(Body):
    """The files of an import, up to 1,000 at a time."""

    items: list[ImportItem] = Field(min_length=1, max_length=1000)
