"""What the READMEs say is so."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from fastapi.routing import APIRoute
from pydantic import BaseModel

from configs.settings import ServiceSettings
from configs.tuning import EmbedderTuning, IngressTuning, SearchTuning
from deployments.cli import app
from deployments.http.routes import collections, faces, person_faces, persons, search, system

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ROUTERS = (
    system.open_router,
    system.router,
    faces.router,
    search.router,
    collections.router,
    persons.router,
    person_faces.router,
)


def code_blocks(text: str) -> list[str]:
    return re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)


def knobs(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """Give a table row for every setting."""
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield from knobs(type(field.default), f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{field.default}` | {field.description} |"


def test_the_two_commands_stand_alone_in_their_blocks() -> None:
    blocks = [block.strip() for block in code_blocks(README)]

    assert "pip install uv && uv run faceserve up" in blocks
    assert "pip install uv && uv run pytest" in blocks


def test_the_exports_are_those_that_the_command_prints() -> None:
    assert 'eval "$(uv run faceserve env)"' in README


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
    assert row in README


def test_every_command_that_is_shown_exists() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)

    texts = [README, *(path.read_text(encoding="utf-8") for path in ROOT.glob("*/README.md"))]
    shown = {word for text in texts for word in re.findall(r"faceserve ([a-z]+)(?=[\s`])", text)}

    assert {"up", "demo", "migrate", "token", "doctor", "pack"} <= shown
    assert shown <= set(group.commands)


def test_every_variable_of_the_environment_is_listed() -> None:
    code = "".join(
        path.read_text(encoding="utf-8")
        for folder in ("configs", "deployments")
        for path in (ROOT / folder).rglob("*.py")
    )

    for name in set(re.findall(r"\bFACESERVE_[A-Z_]+\b", code)):
        assert f"| `{name}` |" in README, name


def test_every_operation_is_listed_with_its_scope() -> None:
    text = (ROOT / "deployments" / "README.md").read_text(encoding="utf-8")

    for router in ROUTERS:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            scopes = [scope for dependency in route.dependencies for scope in getattr(dependency, "scopes", None) or []]
            scope = " ".join(f"`{scope}`" for scope in scopes) or "open"
            assert f"| `{'/'.join(sorted(route.methods))} {route.path}` | {scope} |" in text


def test_every_link_to_a_file_leads_somewhere() -> None:
    for path in [ROOT / "README.md", *ROOT.glob("*/README.md")]:
        for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.relative_to(ROOT)}: {target}"
