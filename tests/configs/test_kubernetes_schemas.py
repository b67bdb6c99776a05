"""The manifests against what Kubernetes and KubeRay accept; nothing here needs a cluster."""

import importlib.metadata
import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from configs.settings import ApiSettings
from tests.configs.kubernetes import FOLDER, ROOT, container, documents, groups, pods, ray_service

VERSIONS = ("1.31", "1.37")  # the oldest that knows `matchLabelKeys` by itself, and the newest that the schemas know
PLAIN = [
    pytest.param(part, id=f"{path.name}-{number}")
    for path in sorted(FOLDER.glob("*/*.yaml"))
    for number, part in enumerate(yaml.safe_load_all(path.read_text()))
    if part["kind"] not in ("RayService", "Kustomization")
]

# What KubeRay 1.7 has at these places of a RayService. The rest of it are pod templates, which Kubernetes describes.
RAY_SERVICE = {
    "rayClusterDeletionDelaySeconds": int,
    "serveService": dict,
    "upgradeStrategy": dict,
    "serveConfigV2": str,
    "rayClusterConfig": dict,
    "excludeHeadPodFromServeSvc": bool,
}
RAY_CLUSTER = {
    "authOptions": dict,
    "autoscalerOptions": dict,
    "enableInTreeAutoscaling": bool,
    "gcsFaultToleranceOptions": dict,
    "headGroupSpec": dict,
    "rayVersion": str,
    "workerGroupSpecs": list,
}
HEAD_GROUP = {"rayStartParams": dict, "template": dict, "serviceType": str, "enableIngress": bool}
WORKER_GROUP = {
    "groupName": str,
    "replicas": int,
    "minReplicas": int,
    "maxReplicas": int,
    "rayStartParams": dict,
    "template": dict,
}
GCS_FAULT_TOLERANCE = {"backend": str, "redisAddress": str, "redisUsername": dict, "redisPassword": dict}


def wrong_fields(value: dict[str, Any], fields: dict[str, type]) -> list[str]:
    """Return the keys of `value` that are unknown, or hold something else than they should."""
    return [key for key, inner in value.items() if not isinstance(inner, fields.get(key, ()))]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", PLAIN)
def test_kubernetes_knows_every_field(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", groups())
def test_kubernetes_knows_every_field_of_a_ray_pod(name: str, version: str) -> None:
    template = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": {"name": name}, "template": pods()[name]}

    kubernetes_validate.validate(template, version, strict=True)


def test_a_misspelt_field_of_a_pod_would_be_found() -> None:
    template = {"apiVersion": "v1", "kind": "PodTemplate", "template": {"spec": {"containers": [], "volumez": []}}}

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(template, VERSIONS[-1], strict=True)


def test_kuberay_knows_every_field_around_the_pods() -> None:
    spec = ray_service()
    cluster = spec["rayClusterConfig"]

    assert wrong_fields(spec, RAY_SERVICE) == []
    assert wrong_fields(cluster, RAY_CLUSTER) == []
    assert wrong_fields(cluster["headGroupSpec"], HEAD_GROUP) == []
    for group in cluster["workerGroupSpecs"]:
        assert wrong_fields(group, WORKER_GROUP) == []
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    for group in groups().values():
        assert all(isinstance(value, str) for value in group["rayStartParams"].values())


@pytest.mark.skipif("KUBERAY_CRD" not in os.environ, reason="KUBERAY_CRD names no file of KubeRay's RayService CRD")
def test_kuberays_own_schema_accepts_the_ray_service() -> None:
    definition = yaml.safe_load(Path(os.environ["KUBERAY_CRD"]).read_text())
    schema = next(part["schema"] for part in definition["spec"]["versions"] if part["name"] == "v1")["openAPIV3Schema"]
    validator = jsonschema.Draft7Validator(closed(schema | {"properties": schema["properties"] | {"metadata": {}}}))

    found = [error.message for error in validator.iter_errors(documents("base/rayservice.yaml")[0])]

    assert found == []


def closed(schema: Any) -> Any:
    """Return a CRD's schema as JSON schema that refuses fields which it does not list, as the API server drops them."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    parts = {key: closed(part) for key, part in schema.items()}
    lists_all = schema.get("type") == "object" and "properties" in schema
    return parts | ({"additionalProperties": False} if lists_all else {})


def test_the_manuals_gcs_fault_tolerance_is_what_kuberay_knows() -> None:
    found = re.search(
        r"```yaml\n(.*?)```", (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert found is not None
    options = yaml.safe_load(found[1])["gcsFaultToleranceOptions"]

    assert wrong_fields(options, GCS_FAULT_TOLERANCE) == []


def test_versions_are_those_of_this_checkout() -> None:
    version = importlib.metadata.version("faceserve")
    images = {container(pod)["image"] for pod in pods().values()}

    assert ray_service()["rayClusterConfig"]["rayVersion"] == importlib.metadata.version("ray")
    assert images == {f"registry.example.com/faceserve:{version}", f"registry.example.com/faceserve:{version}-gpu"}


def test_a_kustomization_lists_files_that_are_there_and_leaves_none_out() -> None:
    for path in FOLDER.glob("*/kustomization.yaml"):
        kustomization = yaml.safe_load(path.read_text())
        named = [
            *kustomization["resources"],
            *(patch["path"] for patch in kustomization.get("patches", []) if "path" in patch),
        ]

        assert all((path.parent / name).exists() for name in named)
        assert {other.name for other in path.parent.glob("*.yaml")} == {
            "kustomization.yaml",
            *(name for name in named if name.endswith(".yaml")),
        }


def test_the_gpu_overlay_changes_the_group_that_it_names() -> None:
    (patch,) = [patch["patch"] for patch in documents("gpu/kustomization.yaml")[0]["patches"] if "patch" in patch]
    spec = ray_service()
    for step in yaml.safe_load(patch):
        value: Any = {"spec": spec}
        for key in step["path"].strip("/").split("/"):
            value = value[int(key)] if isinstance(value, list) else value[key]
        if step["op"] == "test":
            assert value == step["value"]
        else:
            assert isinstance(value, type(step["value"]))


def test_the_ingress_lets_pass_what_the_service_takes_and_leads_to_its_port() -> None:
    (ingress,) = documents("base/ingress.yaml")
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    megabytes = int(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"].removesuffix("m"))

    assert megabytes * 2**20 == ApiSettings().max_request_bytes
    assert path["backend"]["service"] == {"name": "faceserve-serve-svc", "port": {"number": 8000}}


def test_the_service_is_configured_as_on_other_nodes_but_for_what_a_pod_needs() -> None:
    plain = yaml.safe_load((ROOT / "configs" / "serve" / "nodes.yaml").read_text())
    plain["applications"][0]["args"]["encoder"]["models_dir"] = "/models"

    assert yaml.safe_load(ray_service()["serveConfigV2"]) == plain

    plain["applications"][0]["args"]["encoder"]["provider"] = "cuda"
    embedder = next(part for part in plain["applications"][0]["deployments"] if part["name"] == "Embedder")
    embedder["ray_actor_options"]["num_gpus"] = 1
    embedder["autoscaling_config"]["max_replicas"] = groups()["gpu-workers"]["maxReplicas"]
    embedder["max_surge_percent"] = 0

    assert yaml.safe_load(documents("gpu/serve.yaml")[0]["spec"]["serveConfigV2"]) == plain
