"""The database that `faceserve up` brings along."""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from deployments.commands.up import UpOptions, database
from store.embedded.postmaster_user import USER_FOR_ROOT


@pytest.mark.skipif(os.geteuid() != 0, reason="not root: nothing is changed")
def test_root_is_told_what_changes_on_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESERVE_DATABASE_URL", raising=False)
    told = io.StringIO()
    options = UpOptions("127.0.0.1", 8000, tmp_path / "data", tmp_path / "models", None, 1, None, None, None, False)

    with database(options, Console(file=told)):
        assert USER_FOR_ROOT in told.getvalue()
        assert "chmod o+x" in told.getvalue()
