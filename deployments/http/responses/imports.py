"""What is left of an import."""

from collections.abc import Sequence
from typing import Literal, Self

from deployments.http.requests.imports import ImportItem
from deployments.http.responses.base import Answer, Shape
from store.types import KnownSources

ImportState = Literal["wanted", "present", "elsewhere"]


class PlannedItem(Shape):
    """A file of an import.

    `state`: `wanted`, `present` with the person it is meant for, or `elsewhere`, with another person: `found_person_id`
    (a merge or a move brought it there, or the same file stands in two folders).
    """

    sha256: str
    person_id: str
    state: ImportState
    found_person_id: str | None

    @classmethod
    def of(cls, item: ImportItem, known: KnownSources) -> Self:
        """Return whether the collection lacks the file."""
        found = known.persons_by_source.get(item.sha256)
        state: ImportState = "wanted" if found is None else "present" if found == item.person_id else "elsewhere"
        return cls(sha256=item.sha256, person_id=item.person_id, state=state, found_person_id=found)


class ImportPlanResponse(Answer):
    """`items` in the order of the question; `person_ids`: those of the asked persons who are there."""

    items: list[PlannedItem]
    wanted: int
    person_ids: list[str]

    @classmethod
    def of(cls, items: Sequence[ImportItem], known: KnownSources) -> Self:
        """Return what the collection lacks of `items`."""
        planned = [PlannedItem.of(item, known) for item in items]
        wanted = sum(item.state == "wanted" for item in planned)
        return cls(items=planned, wanted=wanted, person_ids=sorted(known.person_ids))
