"""Keeps what was measured: JSON and charts in `results/`, a table in the README."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.machine import description, sentence
from tests.benchmarks.measured import write_block

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def publish(
    name: str, command: str, measured: Mapping[str, object], markdown: str, charts: Mapping[str, str] | None = None
) -> None:
    """Write `measured` with the machine as JSON, `charts` as SVG, and `markdown` with both into the README's block.

    `command` stands above the table: what a reader types to have the same measured.
    """
    RESULTS.mkdir(exist_ok=True)
    machine = description()
    text = json.dumps({"machine": machine, **measured}, indent=1)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    images = []
    for chart, drawing in (charts or {}).items():
        (RESULTS / f"{chart}.svg").write_text(drawing, encoding="utf-8")
        images.append(f"![{chart}](results/{chart}.svg)")
    parts = [sentence(machine), f"    {command}", markdown, "\n".join(images)]
    write_block(FOLDER / "README.md", name, "\n\n".join(part for part in parts if part))
