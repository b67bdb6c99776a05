"""`faceserve doctor` on this machine: it looks at everything, and nothing that it looks at stops it."""

import io
from pathlib import Path

from rich.console import Console

from configs.ray_environment import ray_environment
from deployments.commands.doctor import doctor


def test_doctor_looks_at_everything_and_says_how_it_stands(tmp_path: Path) -> None:
    said = io.StringIO()
    environment = ray_environment() | {"FACESERVE_JWT_SECRET": "a-secret-of-the-tests-with-32-bytes-and-more"}

    is_well = doctor(tmp_path / "models", tmp_path / "data", environment, Console(file=said, width=200))

    told = said.getvalue()
    assert is_well
    for subject in ("Python", "onnxruntime", "CPU cores", "no model pack", "free at", "token keys: HS256", "ray start"):
        assert subject in told
