"""What the pods of `configs/kubernetes` may do, know and be reached at."""

from typing import Any

import pytest
import yaml

from configs.ray_environment import ray_environment
from deployments.commands.doctor import INTERNAL_PORTS
from tests.configs.kubernetes import COMPONENTS, container, documents, environment, groups, pods, ray_service, selects

SECRETS = ("FACESERVE_DATABASE_URL", "FACESERVE_JWT_SECRET")

every_pod = pytest.mark.parametrize("name", pods())
every_group = pytest.mark.parametrize("name", groups())
EVERY_NODE = {name: value for name, value in ray_environment().items() if name != "RAY_AUTH_MODE"}
WORKERS = ("cpu-workers", "gpu-workers")


@every_group
def test_head_and_workers_have_the_environment_of_every_node(name: str) -> None:
    found = environment(pods()[name])

    assert found == environment(pods()["head"])
    assert {name: value for name, value in found.items() if name.startswith(("RAY_", "ORT_"))} == EVERY_NODE


def test_kuberay_makes_rays_token_and_gives_it_to_every_pod() -> None:
    assert ray_service()["rayClusterConfig"]["authOptions"] == {"mode": ray_environment()["RAY_AUTH_MODE"]}


@every_pod
def test_secrets_come_by_reference(name: str) -> None:
    found = environment(pods()[name])

    assert all("secretKeyRef" in found[secret] for secret in SECRETS if secret in found)


@every_group
def test_every_ray_pod_has_the_database_the_keys_and_the_models(name: str) -> None:
    pod = pods()[name]
    mounts = {mount["mountPath"]: mount for mount in container(pod)["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    service = yaml.safe_load(ray_service()["serveConfigV2"])

    assert "FACESERVE_DATABASE_URL" in environment(pod)
    assert environment(pod)["FACESERVE_JWT_JWKS_FILE"] == "/keys/jwks.json"
    assert "secret" in volumes[mounts["/keys"]["name"]]
    assert mounts[service["applications"][0]["args"]["encoder"]["models_dir"]]["readOnly"] is True


@every_pod
def test_a_pod_has_no_rights_that_it_does_not_need(name: str) -> None:
    spec, only = pods()[name]["spec"], container(pods()[name])
    volumes = {volume["name"] for volume in spec["volumes"] if "emptyDir" in volume}

    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert only["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["name"] for mount in only["volumeMounts"] if mount["mountPath"] == "/tmp"} <= volumes


@every_pod
def test_memory_is_asked_for_and_bounded(name: str) -> None:
    resources = container(pods()[name])["resources"]

    assert resources["requests"].keys() >= {"cpu", "memory"}
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("name", WORKERS)
def test_ray_counts_the_cpus_that_kubernetes_gives(name: str) -> None:
    group = groups()[name]

    assert group["rayStartParams"]["num-cpus"] == container(group["template"])["resources"]["requests"]["cpu"]


def test_the_head_runs_no_replica() -> None:
    assert groups()["head"]["rayStartParams"]["num-cpus"] == "0"
    assert ray_service()["excludeHeadPodFromServeSvc"] is True


def test_only_the_gpu_group_asks_for_gpus() -> None:
    asking = [name for name in groups() if "nvidia.com/gpu" in container(pods()[name])["resources"]["limits"]]

    assert asking == ["gpu-workers"]


@pytest.mark.parametrize("name", WORKERS)
def test_two_workers_hold_two_replicas_and_are_on_two_machines(name: str) -> None:
    (constraint,) = pods()[name]["spec"]["topologySpreadConstraints"]

    assert constraint["topologyKey"] == "kubernetes.io/hostname"
    assert constraint["whenUnsatisfiable"] == "DoNotSchedule"
    assert selects(constraint["labelSelector"], pods()[name]["metadata"]["labels"])
    assert groups()["cpu-workers"]["minReplicas"] >= 2


@every_group
def test_probes_ask_what_needs_neither_token_nor_shell(name: str) -> None:
    only = container(pods()[name])
    paths = {kind: only[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert paths["startupProbe"] == paths["livenessProbe"] == "/api/healthz"
    assert paths["readinessProbe"] == ("/api/healthz" if name == "head" else "/-/healthz")


def rules(direction: str) -> list[dict[str, Any]]:
    (policy,) = documents("base/network-policy.yaml")
    found: list[dict[str, Any]] = policy["spec"][direction]
    return found


def test_the_network_policy_holds_for_every_ray_pod() -> None:
    (policy,) = documents("base/network-policy.yaml")

    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    for name in COMPONENTS:
        assert selects(policy["spec"]["podSelector"], pods()[name]["metadata"]["labels"])


def test_no_internal_port_is_open_but_to_those_who_must_use_it() -> None:
    opened = {
        (port["port"], peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        for rule in rules("ingress")
        for peer in rule["from"]
        if "namespaceSelector" in peer
        for port in rule["ports"]
    }

    assert {port for port, who in opened if who == "ingress-nginx"} == {8000}
    assert {(port, who) for port, who in opened if port in INTERNAL_PORTS} == {
        (8080, "monitoring"),
        (8265, "kuberay-system"),
        (9101, "monitoring"),
    }


def test_what_is_open_on_every_port_is_open_to_ray_pods_alone() -> None:
    (peers,) = [rule["from"] for rule in rules("ingress") if "ports" not in rule]
    job = pods()["migrate"]["metadata"]["labels"]

    assert [set(peer) for peer in peers] == [{"podSelector"}]
    assert all(selects(peers[0]["podSelector"], pods()[name]["metadata"]["labels"]) for name in COMPONENTS)
    assert not selects(peers[0]["podSelector"], job)


@every_group
def test_one_disruption_budget_holds_for_each_pod(name: str) -> None:
    labels = pods()[name]["metadata"]["labels"]
    budgets = [part["spec"] for part in documents("base/disruption-budgets.yaml")]

    (budget,) = [budget for budget in budgets if selects(budget["selector"], labels)]

    assert budget["maxUnavailable"] == (0 if name == "head" else 1)
