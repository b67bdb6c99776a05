"""Serve ignores keys that it does not know; these tests do not."""

import typing
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from ray.serve import Application
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ServeDeploySchema

from configs.settings import ServiceSettings
from configs.tuning import EmbedderTuning, IngressTuning, SearchTuning
from deployments.app import build_app

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "serve_config.yaml", *sorted((ROOT / "configs" / "serve").glob("*.yaml"))]
TUNING: dict[str, type[BaseModel]] = {"Ingress": IngressTuning, "Embedder": EmbedderTuning, "Search": SearchTuning}

files = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def unknown_keys(model: type[BaseModel], value: dict[str, Any], place: str = "") -> list[str]:
    """Return the places of the keys in `value` that `model` has no field for."""
    fields = {(field.alias or name): field for name, field in model.model_fields.items()}
    found = [f"{place}{key}" for key in value if key not in fields]
    for key, inner in value.items():
        nested = nested_model(key, fields[key].annotation) if key in fields else None
        if nested is None:
            continue
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                found += unknown_keys(nested, item, f"{place}{key}.")
    return found


def nested_model(key: str, annotation: Any) -> type[BaseModel] | None:
    """Return the model that a field holds, one or many, if it holds one."""
    if key == "autoscaling_config":  # the schema calls it a dict
        return AutoscalingConfig
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in typing.get_args(annotation) if (model := nested_model("", part))), None)


def bound_names(application: Application) -> set[str]:
    """Return the names of the deployments that `application` is made of."""
    deployment = application._bound_deployment
    inner = [argument for argument in deployment.init_args if isinstance(argument, Application)]
    return {deployment.name}.union(*(bound_names(argument) for argument in inner))


def application_of(path: Path) -> dict[str, Any]:
    applications: list[dict[str, Any]] = yaml.safe_load(path.read_text())["applications"]
    return applications[0]


@files
def test_serve_knows_every_key(path: Path) -> None:
    assert unknown_keys(ServeDeploySchema, yaml.safe_load(path.read_text())) == []


def test_a_misspelt_key_would_be_found() -> None:
    config = {"applications": [{"deployments": [{"name": "x", "autoscaling_config": {"min_replicaz": 2}}]}]}

    assert unknown_keys(ServeDeploySchema, config) == ["applications.deployments.autoscaling_config.min_replicaz"]


@files
def test_serve_accepts_the_file(path: Path) -> None:
    ServeDeploySchema.model_validate(yaml.safe_load(path.read_text()))


@files
def test_the_builder_takes_the_args_and_binds_every_deployment_named(path: Path) -> None:
    application = application_of(path)

    built = build_app(ServiceSettings.model_validate(application["args"]))

    assert {deployment["name"] for deployment in application["deployments"]} == bound_names(built) == set(TUNING)


@files
def test_user_config_is_what_the_deployment_can_change(path: Path) -> None:
    for deployment in application_of(path)["deployments"]:
        TUNING[deployment["name"]].model_validate(deployment.get("user_config", {}))


@files
def test_an_embedder_may_be_asked_for_as_much_as_makes_it_scale(path: Path) -> None:
    embedder = next(part for part in application_of(path)["deployments"] if part["name"] == "Embedder")
    autoscaling = embedder.get("autoscaling_config")

    assert autoscaling is None or autoscaling["target_ongoing_requests"] < embedder["max_ongoing_requests"]


@files
def test_no_secret_is_in_the_file(path: Path) -> None:
    text = path.read_text().lower()

    assert "password" not in text
    assert "postgresql://" not in text


def test_the_builder_is_annotated_with_the_real_class() -> None:
    # with a string there, which `from __future__ import annotations` makes of it, Serve hands over an unchecked dict
    assert build_app.__annotations__["settings"] is ServiceSettings


def test_the_gpu_file_asks_for_a_gpu_and_refuses_to_run_without() -> None:
    application = application_of(ROOT / "configs" / "serve" / "gpu.yaml")
    embedder = next(part for part in application["deployments"] if part["name"] == "Embedder")

    assert application["args"]["encoder"]["provider"] == "cuda"
    assert embedder["ray_actor_options"]["num_gpus"] == 1
