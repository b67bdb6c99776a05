"""Every text of the page, in every language."""

import re
from pathlib import Path

import pytest

from deployments.console.files import PAGE

ENTRY = re.compile(r'^  "([\w.]+)": (?:"(.*)"|\{ one: "(.*)", other: "(.*)" \}),$', flags=re.MULTILINE)
LANGUAGES = sorted((PAGE / "texts").glob("*.js"))
OF_THE_SERVICE = (  # their last word comes from the service
    "error.",
    "rejected.",
    "health.",
    "models.",
    "stats.",
    "decision.",
    "quality.",
    "why.",
    "import.review.",
    "screen.",
)


def texts(path: Path) -> dict[str, tuple[str, ...]]:
    """Return the forms of every text."""
    return {
        key: tuple(form for form in forms if form) for key, *forms in ENTRY.findall(path.read_text(encoding="utf-8"))
    }


def fields(forms: tuple[str, ...]) -> set[str]:
    return {field for form in forms for field in re.findall(r"\{(\w+)\}", form)}


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_line_of_a_language_is_read(path: Path) -> None:
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith('  "')]

    assert len(texts(path)) == len(lines)


@pytest.mark.parametrize("path", LANGUAGES, ids=lambda path: path.stem)
def test_every_language_has_the_same_texts_with_the_same_fields(path: Path) -> None:
    english, other = texts(PAGE / "texts" / "en.js"), texts(path)

    assert set(other) == set(english)
    assert {key: fields(forms) for key, forms in other.items()} == {key: fields(english[key]) for key in english}
    assert {key: len(forms) for key, forms in other.items()} == {key: len(english[key]) for key in english}


def test_every_text_that_a_screen_asks_for_is_there_and_no_other() -> None:
    scripts = "".join(path.read_text(encoding="utf-8") for path in PAGE.glob("*/*.js") if path.parent.name != "texts")
    english = set(texts(PAGE / "texts" / "en.js"))

    asked = set(re.findall(r'\bt\("([\w.]+)"', scripts))
    named = {key for key in english if f'"{key}"' in scripts or key.startswith(OF_THE_SERVICE)}

    assert asked <= english
    assert english == named


def test_no_screen_has_a_text_of_its_own() -> None:
    for path in (*PAGE.glob("screens/*.js"), *PAGE.glob("parts/*.js")):
        children = re.findall(r'\}, "([^"]*[A-Za-z]{3}[^"]*)"', path.read_text(encoding="utf-8"))

        assert set(children) <= {"faceserve", "faceserve token"}, path.name
