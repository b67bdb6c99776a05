"""A network on one machine: namespaces of Linux on a bridge, each with an address of its own. Needs root."""

import contextlib
import itertools
import random
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Home:
    """Where a node lives: its address, and what a command begins with to run there."""

    address: str
    prefix: tuple[str, ...] = ()


LOOPBACK = Home("127.0.0.1")


class Network:
    """A bridge, at one end of which is this machine; what is given a home is at another."""

    def __init__(self, name: str, subnet: str) -> None:
        self._name = name
        self._subnet = subnet
        self._numbers = itertools.count(1)
        self.own = Home(f"{subnet}.254")

    def home(self) -> Home:
        """Return a new home, whose ports nobody else has."""
        number = next(self._numbers)
        namespace, outside, inside = (f"{self._name}{letter}{number}" for letter in "nvp")
        address = f"{self._subnet}.{number}"
        _ip("netns", "add", namespace)
        _ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        _ip("link", "set", outside, "master", self._name, "up")
        _ip("link", "set", inside, "netns", namespace)
        for arguments in (
            ("addr", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            _ip("-n", namespace, *arguments)
        return Home(address, ("ip", "netns", "exec", namespace))

    def namespaces(self) -> list[str]:
        """Return the names of all homes."""
        found = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True).stdout.splitlines()
        return [line.split()[0] for line in found if line.startswith(f"{self._name}n")]


@contextlib.contextmanager
def network() -> Iterator[Network]:
    """Give a network that goes with the block. Raises CalledProcessError for whoever may not make one."""
    name = f"fs{secrets.token_hex(2)}"
    made = Network(name, f"10.{random.randint(200, 250)}.{random.randint(0, 250)}")
    _ip("link", "add", name, "type", "bridge")
    try:
        _ip("addr", "add", f"{made.own.address}/24", "dev", name)
        _ip("link", "set", name, "up")
        yield made
    finally:
        for namespace in made.namespaces():
            _ip("netns", "del", namespace)
        _ip("link", "del", name)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
