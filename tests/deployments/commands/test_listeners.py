"""What `faceserve doctor` says of ports, on sockets that really listen."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

from deployments.commands.doctor import check_ports
from deployments.commands.listeners import Listener, listeners, role_of
from store.embedded.local import LocalPostgres

LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 0)) as server:
    print(server.getsockname()[1], flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def listening(program: str, address: str) -> Iterator[int]:
    """Run a process that is called `program` and listens at `address`; give its port."""
    process = subprocess.Popen(
        [program, "-c", LISTEN, address],
        executable=sys.executable,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


@pytest.mark.parametrize("program", ["/opt/ray/gcs_server", "/opt/haproxy", "/opt/postgres", "/opt/ray/raylet/raylet"])
def test_a_port_that_other_machines_can_reach_is_warned_of(program: str) -> None:
    with listening(program, "0.0.0.0") as port:
        found = [listener for listener in listeners() if listener.port == port]
        said = [finding for finding in check_ports() if finding.state == "warning"]

    assert [(each.address, each.role) for each in found] == [("0.0.0.0", role_of([program]))]
    assert any(str(role_of([program])) in finding.what for finding in said)


def test_a_port_of_the_loopback_is_not_open() -> None:
    with listening("/opt/haproxy", "127.0.0.1") as port:
        (found,) = [listener for listener in listeners() if listener.port == port]

    assert not found.is_open


def test_a_program_that_is_none_of_ours_is_passed_over() -> None:
    with listening("/opt/somebody-elses", "127.0.0.1") as port:
        assert port not in {listener.port for listener in listeners()}


def test_the_database_of_the_tests_is_reachable_from_here_alone(postgres: LocalPostgres) -> None:
    assert postgres.pid is not None
    mine = [
        listener for listener in listeners() if listener.role == "PostgreSQL" and str(listener.port) in postgres.url
    ]

    assert not [listener for listener in mine if listener.is_open]


@pytest.mark.parametrize(
    ("address", "is_open"),
    [
        ("127.0.0.1", False),
        ("127.8.8.8", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("0.0.0.0", True),
        ("::", True),
        ("192.0.2.2", True),
        ("::ffff:192.0.2.2", True),
        ("fe80::1%eth0", True),
    ],
)
def test_an_address_is_open_unless_it_is_of_the_loopback(address: str, is_open: bool) -> None:
    assert Listener("any", address, 1).is_open is is_open


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (["ray::ServeReplica:faceserve:Ingress"], "an ingress replica"),
        (["ray::ProxyActor"], "Serve's proxy"),
        (["ray::ServeReplica:faceserve:Search"], "Ray between its processes"),
        (["/usr/bin/python3", "-u", "/x/ray/dashboard/dashboard.py", "--port=8265"], "Ray's dashboard"),
        (["/usr/bin/python3", "-m", "ray.util.client.server"], "Ray's client server"),
        (["bash", "-c", "haproxy -f x"], None),
        (["less", "postgres.log"], None),
        ([], None),
    ],
)
def test_a_process_is_known_by_what_it_runs(command: list[str], role: str | None) -> None:
    found = role_of(command)

    assert found is None if role is None else found is not None and found.startswith(role)
