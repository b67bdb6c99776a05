"""A service as it runs in production, on one node, to be broken: two replicas of everything, a database of its own."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import psutil

from configs.ray_environment import ray_environment
from configs.settings import TokenSettings
from deployments.commands.tokens import make_token
from deployments.commands.up import haproxy_ports
from deployments.http.access.tokens import SCOPES
from store.embedded.local import LocalPostgres
from tests.benchmarks.faults.volume import Volume
from tests.cluster.node import SECRET, Cluster, deployment_of, production_config, running_cluster, wait_for
from tests.models import opencv_settings

REPLICAS = {"Ingress": 2, "Embedder": 2, "Search": 2}
WHOLE_AGAIN_S = 400.0


@dataclass(frozen=True, slots=True)
class Service:
    """A running service, its node and its database. `volume`: the small file system of the database, if it has one.

    `encoder`: the encoder's part of the settings.
    """

    cluster: Cluster
    encoder: dict[str, Any] = field(default_factory=opencv_settings)
    volume: Volume | None = None
    is_behind_haproxy: bool = False

    @property
    def postgres(self) -> LocalPostgres:
        return self.cluster.postgres

    @property
    def authorization(self) -> str:
        token = make_token(SECRET, settings=TokenSettings(), tenant="default", scopes=SCOPES, expires_s=7200.0)
        return f"Bearer {token}"

    def config(self) -> dict[str, Any]:
        """Return the configuration that runs when nobody changes it."""
        return service_config(self.encoder, self.cluster.http_port)

    def replica_pid(self, deployment: str) -> int:
        """Return the process id of one running replica."""
        found = self.cluster.status()["deployments"][deployment]["replicas"]
        return next(int(replica["pid"]) for replica in found if replica["state"] == "RUNNING")

    def processes(self, mark: str) -> list[psutil.Process]:
        """Return the node's processes whose command line contains `mark`."""
        found = []
        for process in self.cluster.node.children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if mark in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def is_whole(self) -> bool:
        """Tell whether every replica runs and answers."""
        try:
            status = self.cluster.status()
            health = httpx.get(f"{self.cluster.url}/v1/health", timeout=5).status_code
        except (httpx.HTTPError, KeyError):
            return False
        running = {
            name: sum(replica["state"] == "RUNNING" and is_alive(replica["pid"]) for replica in deployment["replicas"])
            for name, deployment in status["deployments"].items()
        }
        return status["status"] == "RUNNING" and running == REPLICAS and health == 200

    def wait_until_whole(self) -> None:
        """Return once every replica runs and answers; fail after minutes."""
        wait_for(self.is_whole, WHOLE_AGAIN_S)


def is_alive(pid: int | None) -> bool:
    """Tell whether a process runs. Serve takes some seconds to see that one of its replicas does not."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def service_config(encoder: dict[str, Any], http_port: int) -> dict[str, Any]:
    """Return serve_config.yaml with two replicas of everything, `encoder`, and a port of the test's own."""
    config = production_config(http_port)
    config["applications"][0]["args"]["encoder"] = dict(encoder)
    for name in ("Ingress", "Search"):
        deployment_of(config, name)["num_replicas"] = REPLICAS[name]
    return config


@contextlib.contextmanager
def running_service(
    postgres: LocalPostgres, *, encoder: dict[str, Any], volume: Volume | None, is_behind_haproxy: bool
) -> Iterator[Service]:
    """Run the service with the environment of production, behind Serve's Python proxy or behind HAProxy."""
    variables = ray_environment(haproxy=is_behind_haproxy) | (haproxy_ports() if is_behind_haproxy else {})
    with running_cluster(postgres, partial(service_config, encoder), **variables) as cluster:
        service = Service(cluster, encoder, volume, is_behind_haproxy)
        service.wait_until_whole()
        yield service


def copied_pack(models_dir: Path, name: str, target: Path) -> None:
    """Copy a model pack to `target`, with a manifest that states the digests of its files."""
    import shutil
    from dataclasses import replace

    from encoders.packs.directory import find_pack, verify_pack
    from encoders.packs.manifest import read_manifest, write_manifest

    pack = find_pack(models_dir, name)
    detector, recogniser = verify_pack(pack)
    shutil.copytree(pack.directory, target)
    manifest = replace(
        read_manifest(target, name),
        detector=pack.detector.name,
        recogniser=pack.recogniser.name,
        detector_sha256=detector.sha256,
        recogniser_sha256=recogniser.sha256,
    )
    write_manifest(target, manifest)
