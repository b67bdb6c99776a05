"""Which processes of the service listen where on this machine."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

# By what a command line holds, the first that fits. None of these asks who is calling unless it is told to.
ROLES = (
    ("gcs_server", "Ray's control store"),
    ("ray/dashboard/dashboard.py", "Ray's dashboard with its job API, which runs any code"),
    ("ray.util.client.server", "Ray's client server, which runs any code"),
    ("ray/dashboard/agent.py", "Ray's agent, with its metrics"),
    ("ray::DashboardAgent", "Ray's agent, with its metrics"),
    ("runtime_env/agent/main.py", "Ray's runtime environments, which run any code"),
    ("ray::RuntimeEnvAgent", "Ray's runtime environments, which run any code"),
    ("/raylet/raylet", "Ray's scheduler and object store"),
    ("ray::ProxyActor", "Serve's proxy: the service, and Ray between its processes"),
    (":Ingress", "an ingress replica: the service, and Ray between its processes"),
    ("ray::", "Ray between its processes"),
    ("haproxy", "HAProxy: the service, and its statistics and metrics, which tell everybody"),
    ("postgres", "PostgreSQL"),
)
EVERYWHERE = frozenset({"0.0.0.0", "::", "*"})


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A TCP port that a process of the service listens on. `is_open`: whether other machines can reach it."""

    role: str
    address: str
    port: int

    @property
    def is_open(self) -> bool:
        if self.address in EVERYWHERE:
            return True
        address = ipaddress.ip_address(self.address.partition("%")[0].removeprefix("::ffff:"))  # IPv4 on an IPv6 socket
        return not address.is_loopback


def listeners() -> list[Listener]:
    """Return where Ray, Serve, HAProxy and PostgreSQL listen now, of whoever's processes this user may see."""
    found = set[Listener]()
    for each in psutil.net_connections("tcp"):
        if each.status == psutil.CONN_LISTEN and each.pid is not None and each.laddr:
            role = role_of(_command(each.pid))
            if role is not None:
                found.add(Listener(role, each.laddr.ip, each.laddr.port))
    return sorted(found)


def role_of(command: Iterable[str]) -> str | None:
    """Return what a process with this command line is to the service, None if nothing."""
    words = list(command)
    if not words:
        return None
    # only the program and what Python was asked to run: a shell that names a program is none
    program = " ".join(words[: 4 if "python" in words[0] else 1])
    return next((role for part, role in ROLES if part in program), None)


def _command(pid: int) -> list[str]:
    try:
        return psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
