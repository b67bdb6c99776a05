"""The README's walk with curl, as it is pasted."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cluster.node import ROOT, Cluster

pytestmark = pytest.mark.cluster


def walk() -> str:
    """Return the commands of the walk."""
    found = re.search(r"<!-- walk -->\n```bash\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    assert found is not None
    return found[1]


def test_the_walk_with_curl_works_as_pasted(cluster: Cluster, tmp_path: Path) -> None:
    with cluster.client(tenant="reader") as client:
        token = client.headers["authorization"].removeprefix("Bearer ")
    commands = walk().replace("http://127.0.0.1:8000", cluster.url).replace("uv run python", "python")
    commands = re.sub(r"^curl (.*)$", r"curl \1 -w '\\n'", commands, flags=re.MULTILINE)

    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=tmp_path,
        env=os.environ | {"FACESERVE_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    created, enrolled, searched, identified, verified, compared = map(json.loads, done.stdout.splitlines())
    assert created["collection"]["id"] == "crew"
    assert enrolled["person"] | {"id": "eileen", "face_count": 1} == enrolled["person"]
    assert searched["matches"][0]["person"]["id"] == "eileen"
    assert identified["faces"][0]["decision"] == "match"
    assert verified["verified"] is True
    assert compared["matched"] is True
