"""The README's walk with curl, and the programs of the manual, as they are pasted."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.node import ROOT, Cluster
from tests.deployments.pictures import astronaut

pytestmark = pytest.mark.cluster


def walk() -> str:
    """Return the commands of the walk."""
    found = re.search(r"<!-- walk -->\n```bash\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert found is not None
    return found[1]


def example(name: str) -> str:
    """Return a program of the manual."""
    page = "".join((ROOT / "docs" / each).read_text() for each in ("integrate.md", "client.md"))
    found = re.search(rf"<!-- example: {re.escape(name)} -->\n```\w+\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    return found[1]


def run(cluster: Cluster, folder: Path, *command: str) -> str:
    """Return what `command` prints, with the service's URL and a token in its environment."""
    with cluster.client(tenant="reader") as client:
        token = client.headers["authorization"].removeprefix("Bearer ")
    environment = os.environ | {"FACESERVE_TOKEN": token, "FACESERVE_URL": cluster.url}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_walk_with_curl_works_as_pasted(cluster: Cluster, tmp_path: Path) -> None:
    commands = walk().replace("http://127.0.0.1:8000", cluster.url).replace("uv run python", "python")

    answers = run(cluster, tmp_path, "bash", "-euc", commands).splitlines()

    created, enrolled, searched, verified, identified = map(json.loads, answers)
    assert created["collection"]["id"] == "crew"
    assert enrolled["person"] | {"id": "eileen", "face_count": 1} == enrolled["person"]
    assert searched["matches"][0]["person"]["id"] == "eileen"
    assert verified["verified"] is True
    assert identified["faces"][0]["decision"] == "match"


@pytest.mark.parametrize(
    ("program", "name"),
    [(sys.executable, "integrate.py"), (sys.executable, "client.py"), ("node", "integrate.mjs")],
)
def test_the_programs_of_the_manual_work_as_pasted(cluster: Cluster, tmp_path: Path, program: str, name: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    astronaut().save(tmp_path / "ada.jpg")
    astronaut().resize((300, 300)).save(tmp_path / "door.jpg")
    (tmp_path / name).write_text(example(name))

    printed = run(cluster, tmp_path, program, name, "ada.jpg", "door.jpg")

    assert printed.startswith("match Ada ")


def test_the_program_for_asyncio_works_as_pasted(cluster: Cluster, tmp_path: Path) -> None:
    astronaut().save(tmp_path / "ada.jpg")
    (tmp_path / "client_async.py").write_text(example("client_async.py"))

    assert run(cluster, tmp_path, sys.executable, "client_async.py", "ada.jpg", "ada.jpg") == "1\n1\n"
