"""`faceserve env`: what a shell makes of it, and what `faceserve doctor` says where it was forgotten."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs.ray_environment import PROXY_CALLBACK, ray_environment
from deployments.commands.doctor import check_ray

FACESERVE = Path(sys.executable).parent / "faceserve"


@pytest.mark.parametrize(("proxy", "haproxy"), [("haproxy", True), ("python", False)])
def test_a_shell_takes_the_environment_of_a_node_from_the_command(proxy: str, haproxy: bool) -> None:
    script = f'eval "$("{FACESERVE}" env --proxy {proxy})" && env'

    done = subprocess.run(["sh", "-c", script], env={}, capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())

    assert {name: value for name, value in found.items() if name.startswith(("RAY_", "ORT_"))} == ray_environment(
        haproxy=haproxy
    )


def test_without_haproxy_the_throughput_profile_is_off() -> None:
    assert "RAY_SERVE_THROUGHPUT_OPTIMIZED" not in ray_environment(haproxy=False)


@pytest.mark.parametrize("haproxy", [True, False])
def test_a_complete_environment_is_well(haproxy: bool) -> None:
    (finding,) = check_ray(ray_environment(haproxy=haproxy))

    assert finding.state == "ok"


def test_every_variable_that_is_missing_is_named() -> None:
    *_, finding = check_ray({})

    assert finding.state == "warning"
    assert all(name in finding.what for name in ray_environment(haproxy=False))


def test_a_serve_that_clients_can_steer_is_warned_of() -> None:
    environment = ray_environment() | {PROXY_CALLBACK: "somewhere:else"}

    assert any("clients can steer" in finding.what for finding in check_ray(environment))


def test_the_throughput_profile_alone_is_warned_of() -> None:
    environment = ray_environment(haproxy=False) | {"RAY_SERVE_THROUGHPUT_OPTIMIZED": "1"}

    assert any("one proxy on the head node" in finding.what for finding in check_ray(environment))
