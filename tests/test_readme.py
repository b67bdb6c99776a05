"""What the README and the manual say is so."""

import ast
import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.core
import typer.main
from fastapi.routing import APIRoute
from pydantic import BaseModel

from configs.ray_environment import EVERYWHERE, WITH_HAPROXY
from configs.settings import ServiceSettings
from configs.tuning import EmbedderTuning, IngressTuning, SearchTuning
from deployments.cli import app
from deployments.http import problems
from deployments.http.routes import archives, collections, faces, imports, person_faces, persons, search, system

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAX_README_LINES = 120
PAGES = [
    path
    for path in sorted(ROOT.rglob("*.md"))
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
]
CLIENTS_SEE = {"database_unavailable", "unavailable", "request_timeout"}  # of the 503; the others end a start
ROUTERS = (
    system.open_router,
    system.router,
    faces.router,
    search.router,
    collections.router,
    persons.router,
    person_faces.router,
    imports.router,
    archives.router,
)
every_page = pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def code_blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def knobs(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Give a table row for every setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from knobs(type(field.default), f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{field.default}` | {field.description} |"


def commands(group: typer.core.TyperGroup, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Give every command with its whole name."""
    for name, command in group.commands.items():
        if isinstance(command, typer.core.TyperGroup):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


def faceserve() -> dict[str, Any]:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return dict(commands(group))


def shown_commands(text: str) -> Iterator[list[str]]:
    """Give the words after `faceserve` of every call in a code block or between backticks."""
    calls = [line for block in code_blocks(text, "bash") for line in block.splitlines()] + re.findall(
        r"`([^`\n]+)`", text
    )
    for call in calls:
        if found := re.match(r"(?:.*(?:run |&& |\())?faceserve ([a-z].*)", call.split(" #")[0]):
            yield shlex.split(found[1].replace('"', " ").replace(")", " ").replace("'", " "))


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from subclasses(child)


def error_codes() -> set[tuple[int, str]]:
    """Return the status and code of every error that a client may see."""
    found = set(((status, code) for status, code in problems.HTTP_CODES.items()))
    for base in (problems.Problem, *problems.STATUSES):
        for kind in (base, *subclasses(base)):
            status = next((problems.STATUSES[each] for each in kind.__mro__ if each in problems.STATUSES), None)
            status = kind.status if issubclass(kind, problems.Problem) else status
            if not kind.__name__.startswith("_"):
                found.add((status or 0, kind.code))  # type: ignore[attr-defined]
    return {(status, code) for status, code in found if status != 503 or code in CLIENTS_SEE}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES


def test_the_two_commands_stand_alone_in_their_blocks() -> None:
    blocks = [block.strip() for block in code_blocks(README, "bash")]

    assert "pip install uv && uv run faceserve up" in blocks
    assert "pip install uv && uv run pytest" in blocks


def test_continuous_integration_runs_exactly_the_test_command() -> None:
    assert "pip install uv && uv run pytest\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "row",
    [
        *knobs(ServiceSettings, ""),
        *knobs(IngressTuning, "Ingress: "),
        *knobs(EmbedderTuning, "Embedder: "),
        *knobs(SearchTuning, "Search: "),
    ],
)
def test_every_setting_is_in_the_table_with_its_default_and_meaning(row: str) -> None:
    assert row in page("configure.md")


def test_every_variable_of_ray_is_in_the_table_with_its_value_and_reason() -> None:
    for variable in EVERYWHERE + WITH_HAPROXY:
        assert f"| `{variable.name}` | `{variable.value}` | {variable.reason} |" in page("configure.md")


def test_every_variable_of_the_environment_is_listed() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("configs", "deployments")
        for path in (ROOT / folder).rglob("*.py")
    )

    for name in set(re.findall(r"\bFACESERVE_[A-Z_]+\b", code)):
        assert f"| `{name}` |" in page("configure.md"), name


@pytest.mark.parametrize("name", faceserve())
def test_every_command_is_listed(name: str) -> None:
    assert f"| `faceserve {name}` |" in page("commands.md")


@every_page
def test_every_command_that_is_shown_exists(path: Path) -> None:
    known = faceserve()
    for words in shown_commands(path.read_text(encoding="utf-8")):
        name = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in known), None)
        if name is None and all(re.fullmatch(r"[a-z|…]+", word) for word in words[:1]):
            assert words[0] in {each.split()[0] for each in known}, f"faceserve {' '.join(words)}"
        if name is None or name == "bench":  # a measurement has options of its own
            continue
        options = {option for parameter in known[name].params for option in parameter.opts} | {"--help"}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= options, (
            f"faceserve {' '.join(words)}"
        )


def test_every_operation_is_listed_with_its_scope() -> None:
    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            scopes = [scope for dependency in route.dependencies for scope in getattr(dependency, "scopes", None) or []]
            scope = " ".join(f"`{scope}`" for scope in scopes) or "open"
            assert f"| `{'/'.join(sorted(route.methods))} {route.path}` | {scope} |" in page("api.md")


@pytest.mark.parametrize(("status", "code"), sorted(error_codes()))
def test_every_error_is_listed_with_what_to_do(status: int, code: str) -> None:
    assert re.search(rf"^\| {status} \| `{code}` \| .+ \|$", page("errors.md"), flags=re.MULTILINE)


def test_every_error_that_is_listed_exists() -> None:
    listed = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", page("errors.md"), flags=re.MULTILINE)

    assert {(int(status), code) for status, code in listed} - {(500, "internal_error")} <= error_codes()


@every_page
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target, _, anchor in re.findall(r"\]\(([^)#:]*)(#([^)]+))?\)", text):
        linked = (path.parent / target) if target else path
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), f"{target}#{anchor}"


@every_page
def test_every_file_that_is_named_with_its_folder_exists(path: Path) -> None:
    folders = r"(?:configs|encoders|store|deployments|locustfiles|tests|docs)"
    for name in re.findall(rf"`({folders}/[\w./-]*)`", path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


@every_page
def test_every_module_in_a_rooms_table_exists(path: Path) -> None:
    for cell in re.findall(r"^\| ([^|]*) \|", path.read_text(encoding="utf-8"), flags=re.MULTILINE):
        for name in re.findall(r"`(\w+(?:\.py|/))`", cell):
            assert path.parent == DOCS or (path.parent / name).exists(), name


def test_every_page_of_the_manual_is_linked_from_its_index() -> None:
    for path in DOCS.glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in page("README.md"), path.name


@every_page
def test_every_code_block_can_be_parsed(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    for block in code_blocks(text, "json"):
        json.loads(block)
    for block in code_blocks(text, "python"):
        compile(block, str(path), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for block in code_blocks(text, "bash"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
