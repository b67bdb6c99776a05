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
RAY_SERVICES = sorted((ROOT / "configs" / "kubernetes").glob("*/*.yaml"))
TUNING: dict[str, type[BaseModel]] = {"Ingress": IngressTuning, "Embedder": EmbedderTuning, "Search": SearchTuning}


def embedded() -> list[Any]:
    """Return the `serveConfigV2` of every RayService, as parameters of a test."""
    return [
        pytest.param(part["spec"]["serveConfigV2"], id=f"{path.parent.name}/{path.name}")
        for path in RAY_SERVICES
        for part in yaml.safe_load_all(path.read_text())
        if part["kind"] == "RayService"
    ]


files = pytest.mark.parametrize(
    "text", [*(pytest.param(path.read_text(), id=path.name) for path in FILES), *embedded()]
)


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


def application_of(text: str) -> dict[str, Any]:
    applications: list[dict[str, Any]] = yaml.safe_load(text)["applications"]
    return applications[0]


@files
def test_serve_knows_every_key(text: str) -> None:
    assert unknown_keys(ServeDeploySchema, yaml.safe_load(text)) == []


def test_a_misspelt_key_would_be_found() -> None:
    config = {"applications": [{"deployments": [{"name": "x", "autoscaling_config": {"min_replicaz": 2}}]}]}

    assert unknown_keys(ServeDeploySchema, config) == ["applications.deployments.autoscaling_config.min_replicaz"]


@files
def test_serve_accepts_the_file(text: str) -> None:
    ServeDeploySchema.model_validate(yaml.safe_load(text))


@files
def test_the_builder_takes_the_args_and_binds_every_deployment_named(text: str) -> None:
    application = application_of(text)

    built = build_app(ServiceSettings.model_validate(application["args"]))

    assert {deployment["name"] for deployment in application["deployments"]} == bound_names(built) == set(TUNING)


@files
def test_user_config_is_what_the_deployment_can_change(text: str) -> None:
    for deployment in application_of(text)["deployments"]:
        TUNING[deployment["name"]].model_validate(deployment.get("user_config", {}))


@files
def test_an_embedder_may_be_asked_for_as_much_as_makes_it_scale(text: str) -> None:
    embedder = next(part for part in application_of(text)["deployments"] if part["name"] == "Embedder")
    autoscaling = embedder.get("autoscaling_config")

    assert autoscaling is None or autoscaling["target_ongoing_requests"] < embedder["max_ongoing_requests"]


@files
def test_a_limit_per_node_leaves_a_rollout_room(text: str) -> None:
    # old and new replicas count together: with a limit and a surge, the new ones wait for room that the old ones keep
    for deployment in application_of(text)["deployments"]:
        if "max_replicas_per_node" in deployment:
            assert deployment["max_surge_percent"] == 0
            assert deployment["num_replicas"] >= 2


def test_on_several_nodes_a_proxy_reaches_the_replicas_of_the_others() -> None:
    config = yaml.safe_load((ROOT / "configs" / "serve" / "nodes.yaml").read_text())

    assert config["http_options"]["host"] == "0.0.0.0"  # ingress replicas listen where the proxies do


def test_on_several_nodes_everything_is_there_twice_and_nothing_runs_on_a_head_without_cpus() -> None:
    for deployment in application_of((ROOT / "configs" / "serve" / "nodes.yaml").read_text())["deployments"]:
        replicas = deployment.get("num_replicas") or deployment["autoscaling_config"]["min_replicas"]
        assert replicas >= 2
        assert deployment["ray_actor_options"]["num_cpus"] > 0


@files
def test_no_secret_is_in_the_file(text: str) -> None:
    assert "password" not in text.lower()
    assert "postgresql://" not in text.lower()


def test_the_builder_is_annotated_with_the_real_class() -> None:
    # with a string there, which `from __future__ import annotations` makes of it, Serve hands over an unchecked dict
    assert build_app.__annotations__["settings"] is ServiceSettings


def test_the_gpu_file_asks_for_a_gpu_and_refuses_to_run_without() -> None:
    application = application_of((ROOT / "configs" / "serve" / "gpu.yaml").read_text())
    embedder = next(part for part in application["deployments"] if part["name"] == "Embedder")

    assert application["args"]["encoder"]["provider"] == "cuda"
    assert embedder["ray_actor_options"]["num_gpus"] == 1
