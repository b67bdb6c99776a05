"""Several Ray nodes on one machine, each a `ray start` of its own as an operator runs it, and the application on them.

`ray.cluster_utils.Cluster` would start the same raylets, but out of the process of the test, which is then part of the
cluster that it watches.
"""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import yaml

from configs.ray_environment import ray_environment
from deployments.commands.up import HAPROXY_PORTS
from store.database.migrate import apply_migrations
from store.embedded.local import temporary_postgres
from tests.benchmarks.nodes.networks import LOOPBACK, Home, Network, network
from tests.cluster.node import BIN, ROOT, Cluster, ask_serve, node_environment, serve_api_answers, wait_for
from tests.models import opencv_settings
from tests.ports import free_port

START_TIMEOUT_S = 180.0  # three nodes and nine Python processes of Serve, on a machine that may be busy
CPUS = 3  # of each node: an ingress, a search and two embedder replicas
DEPLOYMENTS = ("Ingress", "Embedder", "Search")


class RayNode:
    """One `ray start --block` and everything below it."""

    def __init__(self, *arguments: str, environment: dict[str, str], log: Path, home: Home = LOOPBACK) -> None:
        self.log = log
        command = [
            *home.prefix,
            BIN / "ray",
            "start",
            "--block",
            f"--node-ip-address={home.address}",
            f"--dashboard-agent-listen-port={free_port()}",
            "--min-worker-port=0",  # any free port, instead of 10002 to 19999
            "--max-worker-port=0",
            "--object-store-memory=100000000",
            "--disable-usage-stats",
            *arguments,
        ]
        with log.open("wb") as out:
            self.process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, start_new_session=True)

    def has_joined(self) -> bool:
        """Tell whether the node belongs to the cluster."""
        text = self.log.read_text()
        assert self.process.poll() is None, text[-2000:]
        return "Ray runtime started" in text

    def kill(self) -> None:
        """End every process of the node at once, as a machine does that loses its power."""
        family = self._family()
        for sign in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: none sees another one die
            for process in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(sign)
        psutil.wait_procs(family, timeout=10)
        self.process.wait(10)

    def stop(self) -> None:
        """Let the node end, and kill what does not."""
        family = self._family()
        self.process.terminate()
        _, alive = psutil.wait_procs(family, timeout=5)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait(10)

    def _family(self) -> list[psutil.Process]:
        """Return every process of the node's session, the oldest first: its children, and those whom they left."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(process.pid) == self.process.pid:
                    found.append(process)
        return sorted(found, key=lambda process: process.pid)


class Nodes(Cluster):
    """A head node and its workers. The head runs no replica: it has no CPUs, and every replica asks for some."""

    workers: list[RayNode]
    head: RayNode
    gcs: str
    network: Network | None

    def add_worker(self) -> RayNode:
        """Start one more node."""
        node = RayNode(
            f"--address={self.gcs}",
            f"--num-cpus={CPUS}",
            environment=self.environment,
            log=self.folder / f"worker-{uuid.uuid4().hex[:8]}.log",
            home=LOOPBACK if self.network is None else self.network.home(),
        )
        self.workers.append(node)
        return node

    def placement(self) -> dict[str, list[str]]:
        """Return the nodes that each deployment's running replicas are on, one entry for each replica."""
        deployments = self.status()["deployments"]
        return {
            name: sorted(
                replica["node_id"] for replica in deployments[name]["replicas"] if replica["state"] == "RUNNING"
            )
            for name in DEPLOYMENTS
        }

    def proxies(self) -> int:
        """Return how many nodes have a healthy proxy."""
        found = ask_serve(self.dashboard_port).json()["proxies"].values()
        return sum(proxy["status"] == "HEALTHY" for proxy in found)


@contextlib.contextmanager
def running_nodes(workers: int = 2, *, is_behind_haproxy: bool = False) -> Iterator[Nodes]:
    """Give a head with `workers` more nodes, the application of `configs/serve/nodes.yaml` spread over them.

    Behind HAProxy each worker has a network of its own, which needs root: two HAProxies want the same ports. Clients
    ask the head's, where no replica runs.
    """
    folder = Path(tempfile.mkdtemp(prefix="fn", dir="/tmp"))  # Ray's sockets live below: their paths must be short
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        # through its socket a database is reached from every network of the machine
        postgres = stack.enter_context(temporary_postgres(port=None if is_behind_haproxy else free_port()))
        asyncio.run(apply_migrations(postgres.url))
        environment = node_environment(postgres)
        link = None
        if is_behind_haproxy:
            link = stack.enter_context(network())
            environment |= ray_environment() | {name: str(free_port()) for name in HAPROXY_PORTS}
        home = LOOPBACK if link is None else link.own
        dashboard_port, gcs_port = free_port(), free_port()
        head = RayNode(
            "--head",
            f"--port={gcs_port}",
            f"--dashboard-port={dashboard_port}",
            f"--ray-client-server-port={free_port()}",
            f"--temp-dir={folder / 'ray'}",
            "--dashboard-host=127.0.0.1",
            "--num-cpus=0",
            environment=environment,
            log=folder / "head.log",
            home=home,
        )
        nodes = Nodes(dashboard_port, 0, environment, folder, postgres, psutil.Process(head.process.pid))
        nodes.head, nodes.workers, nodes.gcs = head, [], f"{home.address}:{gcs_port}"
        nodes.network = link
        stack.callback(lambda: [node.stop() for node in (*nodes.workers, nodes.head)])
        wait_for(lambda: serve_api_answers(dashboard_port, nodes.head.process, nodes.head.log))
        for _ in range(workers):
            # one after the other: two that start at once choose the same sockets, and one of them waits for ever;
            # and a replica that is placed before the last node has joined is not spread over it, and never moves
            wait_for(nodes.add_worker().has_joined, timeout_s=START_TIMEOUT_S)
        nodes.http_port = free_port()  # now: Ray's own processes take free ports too while they start
        nodes.submit(configuration(nodes.http_port, is_on_one_address=link is None))
        wait_for(lambda: nodes.is_running() and nodes.proxies() >= workers, timeout_s=START_TIMEOUT_S)
        yield nodes


def configuration(http_port: int, *, is_on_one_address: bool) -> dict[str, Any]:
    """Return `configs/serve/nodes.yaml` with the pack, the port and the address of a test machine."""
    config: dict[str, Any] = yaml.safe_load((ROOT / "configs" / "serve" / "nodes.yaml").read_text())
    config["http_options"]["port"] = http_port
    if is_on_one_address:
        config["http_options"]["host"] = "127.0.0.1"
    config["applications"][0]["args"]["encoder"] = opencv_settings()
    return config
