"""Faults of the service's own processes: replicas, proxies, the controller."""

import contextlib
import os
import signal
from collections.abc import Sequence

import psutil

from tests.benchmarks.faults.service import Service
from tests.cluster.node import wait_for

REPLACED_WITHIN_S = 240.0


def kill_ingress(service: Service) -> None:
    """kill -9 of one of two ingress replicas."""
    os.kill(service.replica_pid("Ingress"), signal.SIGKILL)


def kill_embedder(service: Service) -> None:
    """kill -9 of one of two embedder replicas."""
    os.kill(service.replica_pid("Embedder"), signal.SIGKILL)


def kill_search(service: Service) -> None:
    """kill -9 of one of two search replicas."""
    os.kill(service.replica_pid("Search"), signal.SIGKILL)


def kill_proxy(service: Service) -> None:
    """kill -9 of the node's proxy: Serve's Python proxy, or HAProxy itself in the fast profile."""
    kill(haproxies(service) if service.is_behind_haproxy else service.processes("ray::ProxyActor"))


def kill_controller(service: Service) -> None:
    """kill -9 of the Serve controller."""
    kill(service.processes("ray::ServeController"))


def freeze_embedder(service: Service) -> None:
    """One of two embedder replicas stops answering, also its health check (SIGSTOP), until Serve has replaced it."""
    freeze(service, "Embedder")


def freeze_search(service: Service) -> None:
    """One of two search replicas stops answering, also its health check (SIGSTOP), until Serve has replaced it."""
    freeze(service, "Search")


def freeze(service: Service, deployment: str) -> None:
    """Stop a replica's process and wait until Serve has ended it."""
    process = psutil.Process(service.replica_pid(deployment))
    process.suspend()
    try:
        wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, REPLACED_WITHIN_S)
    finally:
        if process.is_running():
            process.resume()


def haproxies(service: Service) -> list[psutil.Process]:
    """Return the service's HAProxy processes, by their environment: the actor that starts them may have ended."""
    database_url = service.cluster.environment["FACESERVE_DATABASE_URL"]
    found = []
    for process in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):  # somebody else's, or gone
            if process.info["name"] == "haproxy" and process.environ().get("FACESERVE_DATABASE_URL") == database_url:
                found.append(process)
    return found


def kill(processes: Sequence[psutil.Process]) -> None:
    """kill -9; fails where there is nothing to kill."""
    assert processes, "no such process"
    for process in processes:
        process.kill()
