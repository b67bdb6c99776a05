"""The page of the bounds names each of them with its number, and the code beside each gives a reason."""

import re
from pathlib import Path

import pytest

from configs.settings import ServiceSettings
from deployments import bounds

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "bounds.md").read_text(encoding="utf-8")
CODE = (ROOT / "deployments" / "bounds.py").read_text(encoding="utf-8")
NAMES = [name for name in vars(bounds) if name.isupper()]


def spellings(value: float) -> set[str]:
    """Return how the page may write a number."""
    found = {f"{value:,}"}
    for unit, size in (("KB", 2**10), ("MB", 2**20)):
        if value % size == 0:
            found.add(f"{int(value) // size} {unit}")
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_is_on_the_page_with_its_number(name: str) -> None:
    (row,) = [line for line in PAGE.splitlines() if f"`{name}`" in line]

    assert any(spelling in row for spelling in spellings(getattr(bounds, name))), row


@pytest.mark.parametrize("name", NAMES)
def test_a_bound_has_a_reason_beside_it(name: str) -> None:
    assert re.search(rf"\n# [^\n]+\n{name} = ", CODE)


def test_the_settings_on_the_page_are_settings() -> None:
    settings = ServiceSettings().model_dump()
    for path in re.findall(r"`((?:api|encoder)\.[a-z_.]+)`", PAGE):
        found = settings
        for part in path.split("."):
            found = found[part]
