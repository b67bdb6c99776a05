"""What is left of an import."""

from typing import Literal

from faceserve_client.models.base import Answer, Shape


class PlannedItem(Shape):
    """A file of an import: `wanted`, `present` with this person, or `elsewhere`, with another one."""

    sha256: str
    person_id: str
    state: Literal["wanted", "present", "elsewhere"]
    found_person_id: str | None


class ImportPlanResponse(Answer):
    """`person_ids`: those of the asked persons who are there."""

    items: list[PlannedItem]
    wanted: int
    person_ids: list[str]
