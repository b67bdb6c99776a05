"""The manifests of `configs/kubernetes`, as values."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "kubernetes"
COMPONENTS = ("head", "cpu-workers", "gpu-workers")


def documents(name: str) -> list[dict[str, Any]]:
    """Return the documents of one file."""
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def ray_service() -> dict[str, Any]:
    """Return the `spec` of the base's RayService."""
    spec: dict[str, Any] = documents("base/rayservice.yaml")[0]["spec"]
    return spec


def groups() -> dict[str, dict[str, Any]]:
    """Return the head group and the worker groups by the name of their component."""
    cluster = ray_service()["rayClusterConfig"]
    workers = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    return {"head": cluster["headGroupSpec"], **workers}


def pods() -> dict[str, dict[str, Any]]:
    """Return the pod template of every group and of every job."""
    jobs = {path.stem: documents(f"jobs/{path.name}")[0]["spec"] for path in (FOLDER / "jobs").glob("*.yaml")}
    return {name: owner["template"] for name, owner in (groups() | jobs).items()}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the one container of a pod template."""
    (only,) = pod["spec"]["containers"]
    return dict(only)


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a pod's container; a reference stays what it is."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(pod)["env"]}


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Tell whether a label selector, of names and of `In` expressions, takes an object with `labels`."""
    wanted = {key: [value] for key, value in selector.get("matchLabels", {}).items()}
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In", json.dumps(expression)
        wanted[expression["key"]] = expression["values"]
    return all(labels.get(key) in values for key, values in wanted.items())
