"""One Ray node of our own, and the application deployed on it by `serve deploy`."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from configs.ray_environment import ray_environment
from configs.settings import TokenSettings
from deployments.commands.tokens import make_token
from deployments.http.access.tokens import SCOPES
from store.database.migrate import apply_migrations
from store.embedded.local import LocalPostgres
from tests.models import opencv_settings
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
RAY_TOKEN = "ray-token-of-the-tests-0123456789abcdef"
SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"
DEADLINE_S = 180.0


@dataclass
class Cluster:
    """One Ray node of our own, what was deployed on it, and the database behind it."""

    dashboard_port: int
    http_port: int
    environment: dict[str, str]
    folder: Path
    postgres: LocalPostgres
    node: psutil.Process
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def deploy(self, config: dict[str, Any]) -> None:
        """Run `serve deploy` with `config` and wait until all of it runs."""
        self.submit(config)
        wait_for(self.is_running)

    def submit(self, config: dict[str, Any]) -> None:
        """Run `serve deploy` with `config`, which returns before anything of it runs."""
        path = self.folder / "serve_config.yaml"
        path.write_text(yaml.safe_dump(config))
        command = [BIN / "serve", "deploy", path, "-a", f"http://127.0.0.1:{self.dashboard_port}"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        self.config = config

    def status(self) -> dict[str, Any]:
        """Return what Serve says of the application."""
        return dict(ask_serve(self.dashboard_port).json()["applications"]["faceserve"])

    def is_running(self) -> bool:
        """Tell whether every deployment has what the last `deploy` asked for."""
        try:
            status = self.status()
        except httpx.HTTPError:  # a busy machine, or a controller that is being started again
            return False
        assert status["status"] != "DEPLOY_FAILED", status["message"]
        return status["status"] == "RUNNING"

    def replicas(self, deployment: str) -> set[str]:
        """Return the ids of a deployment's running replicas."""
        found = self.status()["deployments"][deployment]["replicas"]
        return {replica["replica_id"] for replica in found if replica["state"] == "RUNNING"}

    def client(self, tenant: str = "default", **claims: Any) -> httpx.Client:
        """Return a client with a token of `tenant` that may do everything unless `claims` say less."""
        wanted = {"scopes": SCOPES, "expires_s": 600.0, **claims}
        token = make_token(SECRET, settings=TokenSettings(), tenant=tenant, **wanted)
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=60)


@contextlib.contextmanager
def running_cluster(
    postgres: LocalPostgres, config: Callable[[int], dict[str, Any]], **variables: str
) -> Iterator[Cluster]:
    """Run a Ray node on `postgres`, which this migrates, and deploy the `config` of an HTTP port on it.

    `variables` are added to the node's environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="fs", dir="/tmp"))  # Ray's sockets live below: their paths must be short
    asyncio.run(apply_migrations(postgres.url))
    environment = node_environment(postgres) | variables
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        dashboard_port, node = stack.enter_context(patient_ray_node(folder, environment))
        http_port = free_port()
        running = Cluster(dashboard_port, http_port, environment, folder, postgres, node)
        running.deploy(config(http_port))
        yield running


def node_environment(postgres: LocalPostgres) -> dict[str, str]:
    """Return what every node of a cluster on `postgres` has in its environment before `ray start`."""
    return (
        os.environ
        | ray_environment(haproxy=False)
        | {
            "FACESERVE_DATABASE_URL": postgres.url,
            "FACESERVE_JWT_SECRET": SECRET,
            "RAY_AUTH_TOKEN": RAY_TOKEN,
            "RAY_SERVE_LOG_TO_STDERR": "0",
        }
    )


@contextlib.contextmanager
def patient_ray_node(folder: Path, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """As `ray_node`; tries again where Ray gives a node up that did not start in 30 s, as on a busy machine."""
    for is_last in (False, False, True):
        with contextlib.ExitStack() as stack:
            try:
                started = stack.enter_context(ray_node(folder, environment))
            except AssertionError:
                if is_last:
                    raise
                continue
            yield started
            return


@contextlib.contextmanager
def ray_node(folder: Path, environment: dict[str, str]) -> Iterator[tuple[int, psutil.Process]]:
    """Run a Ray head node on 127.0.0.1; give the port that `serve deploy` talks to, and the process."""
    dashboard_port = free_port()
    command = [
        BIN / "ray",
        "start",
        "--head",
        "--block",
        "--node-ip-address=127.0.0.1",
        f"--port={free_port()}",
        f"--dashboard-port={dashboard_port}",
        f"--dashboard-agent-listen-port={free_port()}",
        f"--ray-client-server-port={free_port()}",
        f"--metrics-export-port={free_port()}",
        "--min-worker-port=0",  # any free port, instead of 10002 to 19999
        "--max-worker-port=0",
        f"--temp-dir={folder / 'ray'}",
        "--dashboard-host=127.0.0.1",
        "--num-cpus=4",
        "--object-store-memory=100000000",
        "--disable-usage-stats",
    ]
    log = (folder / "ray.log").open("wb")
    node = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for(lambda: serve_api_answers(dashboard_port, node, folder / "ray.log"))
        yield dashboard_port, psutil.Process(node.pid)
    finally:
        # it may have ended already, of a port that another process took first
        family = psutil.Process(node.pid).children(recursive=True) if node.poll() is None else []
        node.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.wait(5)
        _, alive = psutil.wait_procs([*family, psutil.Process(node.pid)] if node.poll() is None else family, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        node.wait(10)
        log.close()


def serve_api_answers(port: int, node: "subprocess.Popen[bytes]", log: Path) -> bool:
    """Tell whether Serve's REST API can be reached, which is some seconds after the node started."""
    assert node.poll() is None, log.read_text()[-2000:]
    try:
        return ask_serve(port).status_code == 200
    except httpx.HTTPError:
        return False


def ask_serve(port: int) -> httpx.Response:
    """Return what Serve's REST API says of all applications."""
    headers = {"Authorization": f"Bearer {RAY_TOKEN}"}
    return httpx.get(f"http://127.0.0.1:{port}/api/serve/applications/", headers=headers, timeout=60)


def production_config(http_port: int) -> dict[str, Any]:
    """Return serve_config.yaml with what a test machine cannot have changed: the pack and the port."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "serve_config.yaml").read_text())
    config["http_options"]["port"] = http_port
    application = config["applications"][0]
    application["args"]["encoder"] = opencv_settings()
    deployment_of(config, "Embedder")["autoscaling_config"] |= {"min_replicas": 2, "max_replicas": 2}
    return config


def deployment_of(config: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the part of `config` that is about one deployment."""
    deployments: list[dict[str, Any]] = config["applications"][0]["deployments"]
    return next(deployment for deployment in deployments if deployment["name"] == name)


def wait_for(condition: Callable[[], bool], timeout_s: float = DEADLINE_S) -> None:
    """Return once `condition` holds, looking five times a second; fail after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s:g} s"
        time.sleep(0.2)
