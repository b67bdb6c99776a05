"""Faults of PostgreSQL."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.benchmarks.faults.service import Service
from tests.cluster.node import wait_for

AWAY_S = 5.0
FROZEN_S = 15.0
SLOW_S = 15.0
FULL_S = 10.0
STOPPED_S, RUNNING_S = 0.2, 0.02  # of a slow database: each statement waits up to 0.2 s for its turn


def stop_fast(service: Service) -> None:
    """PostgreSQL is shut down in order ("fast"), and started 5 s later."""
    service.postgres.stop()
    time.sleep(AWAY_S)
    service.postgres.start()


def restart(service: Service) -> None:
    """PostgreSQL is restarted at once."""
    service.postgres.stop()
    service.postgres.start()


def kill(service: Service) -> None:
    """kill -9 of the postmaster; started, with recovery, 5 s later."""
    kill_postmaster(service)
    time.sleep(AWAY_S)
    service.postgres.start()


def kill_postmaster(service: Service) -> None:
    """kill -9 of the postmaster, which takes the sessions along."""
    pid = service.postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: service.postgres.pid is None)


def freeze(service: Service) -> None:
    """Every PostgreSQL process is stopped (SIGSTOP) for 15 s: connections stay open, nothing answers."""
    with stopped(service):
        time.sleep(FROZEN_S)


def slow(service: Service) -> None:
    """PostgreSQL runs 20 ms of every 220 ms for 15 s: every statement waits up to 0.2 s, on each of its turns."""
    until = time.monotonic() + SLOW_S
    while time.monotonic() < until:
        with stopped(service):
            time.sleep(STOPPED_S)
        time.sleep(RUNNING_S)


def fill_disk(service: Service) -> None:
    """The database's file system has no free byte for 10 s (ENOSPC); PostgreSQL is started again if it gave up."""
    assert service.volume is not None
    service.volume.fill()
    try:
        time.sleep(FULL_S)
    finally:
        service.volume.free()
    if service.postgres.pid is None:
        service.postgres.start()


@contextmanager
def stopped(service: Service) -> Iterator[None]:
    """Every PostgreSQL process stands still while the block runs."""
    pid = service.postgres.pid
    assert pid is not None
    family = [psutil.Process(pid)]
    try:
        send(family, signal.SIGSTOP)  # first, so that it starts no more
        family += family[0].children(recursive=True)
        send(family, signal.SIGSTOP)
        yield
    finally:
        send(family, signal.SIGCONT)


def send(processes: list[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to those that are still there."""
    for process in processes:
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            continue
