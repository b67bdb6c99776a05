"""`faceserve doctor`: what on this machine would keep the service from running well."""

import asyncio
import importlib.metadata
import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from configs.ray_environment import PROXY_CALLBACK, differing, ray_environment
from configs.secrets import MissingSecret, read_token_secrets
from deployments.commands.listeners import Listener, listeners
from deployments.commands.tokens import SECRET_FILE
from deployments.http.access.tokens import load_keys
from encoders.packs.directory import list_packs
from encoders.runtimes.processor import has_vnni, multiplies_bfloat16_in_tiles, processor_flags
from store.errors import StoreError

State = Literal["ok", "warning", "problem"]
MIN_FREE_BYTES = 2 * 2**30  # a pack's archive beside its unpacked files, and a small database
MARKS: Mapping[State, str] = {"ok": "[green]ok[/green]", "warning": "[yellow]!![/yellow]", "problem": "[red]xx[/red]"}

MAX_PORTS_SHOWN = 4  # every Ray worker has one

# What Ray and HAProxy listen on beside the service's own port; none of them asks who is calling.
INTERNAL_PORTS: Mapping[int, str] = {
    6379: "Ray's control store",
    8265: "Ray's dashboard and job API, which runs any code",
    10001: "Ray's client server, which runs any code",
    5432: "PostgreSQL",
    8080: "Ray's metrics, where `--metrics-export-port` says so",
    8500: "the proxy that HAProxy falls back to",
    44227: "Ray's runtime environments",
    52365: "Ray's agent",
    8404: "HAProxy's statistics",
    9101: "HAProxy's metrics",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, how it stands, and what to do about it."""

    state: State
    what: str


def doctor(models_dir: Path, data_dir: Path, environment: Mapping[str, str], console: Console) -> bool:
    """Print what was found and return whether nothing is a problem."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        check_python,
        check_packages,
        check_processor,
        lambda: check_packs(models_dir),
        lambda: check_disk(data_dir),
        lambda: check_tokens(environment, data_dir),
        lambda: check_database(environment),
        lambda: check_ray(environment),
        check_ports,
    )
    is_well = True
    for check in checks:
        for finding in check():
            is_well &= finding.state != "problem"
            console.print(f"{MARKS[finding.state]}  {finding.what}", highlight=False, soft_wrap=True)
    return is_well


def check_python() -> Iterator[Finding]:
    """Find out whether this Python is one that the service runs on."""
    version = platform.python_version()
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding("ok" if supported else "problem", f"Python {version} (3.11 to 3.13 are supported)")


def check_packages() -> Iterator[Finding]:
    """Find out whether exactly one OpenCV and one ONNX Runtime are installed: two overwrite each other's files."""
    for names in (
        ("opencv-python-headless", "opencv-python", "opencv-contrib-python", "opencv-contrib-python-headless"),
        ("onnxruntime", "onnxruntime-gpu"),
    ):
        found = [name for name in names if _is_installed(name)]
        yield Finding("ok" if len(found) == 1 else "problem", f"{' and '.join(found) or 'no ' + names[0]} installed")


def check_processor() -> Iterator[Finding]:
    """Find out what the models would run on."""
    flags = processor_flags()
    yield Finding("ok", f"{os.cpu_count()} CPU cores")
    if flags and "avx2" not in flags:
        yield Finding("warning", "the processor has no AVX2: inference will be several times slower")
    if flags:
        vnni = has_vnni()
        yield Finding("ok", f"VNNI {'present' if vnni else 'absent'}: int8 models {'gain' if vnni else 'gain nothing'}")
        amx = multiplies_bfloat16_in_tiles()
        gain = "gains much" if amx else "gains a tenth at most"
        yield Finding("ok", f"AMX {'present' if amx else 'absent'}: OpenVINO {gain}")


def check_packs(models_dir: Path) -> Iterator[Finding]:
    """Find out which model packs are there."""
    present = [status for status in list_packs(models_dir) if status.pack is not None]
    if not present:
        yield Finding(
            "warning",
            f"no model pack in {models_dir}: `faceserve pack pull opencv` makes one without a network, "
            "`faceserve pack pull buffalo_l` downloads one",
        )
    for status in present:
        assert status.pack is not None
        yield Finding("ok", f"pack {status.name} ({status.pack.licence})")
    for status in list_packs(models_dir):
        if status.problem is not None and status.problem.code != "pack_not_found":
            yield Finding("warning", str(status.problem))


def check_disk(data_dir: Path) -> Iterator[Finding]:
    """Find out whether there is room for a pack and a database, and shared memory for Ray."""
    existing = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    yield Finding("ok" if free >= MIN_FREE_BYTES else "warning", f"{free / 2**30:.1f} GiB free at {data_dir}")
    if Path("/dev/shm").exists():
        shared = shutil.disk_usage("/dev/shm").total
        enough = shared >= 2**28
        yield Finding(
            "ok" if enough else "warning", f"{shared / 2**30:.1f} GiB of shared memory (Ray wants 0.25 or more)"
        )


def check_tokens(environment: Mapping[str, str], data_dir: Path) -> Iterator[Finding]:
    """Find out whether there are keys to check tokens with."""
    try:
        keys = load_keys(read_token_secrets(environment))
    except MissingSecret as error:
        local = (data_dir / SECRET_FILE).exists()
        hint = "`faceserve up` has its own" if local else "`faceserve up` makes its own, `serve deploy` needs them"
        yield Finding("warning", f"token keys: {error} ({hint})")
        return
    yield Finding("ok", f"token keys: {', '.join(sorted({key.algorithm for key in keys}))}")


def check_database(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find out whether the database can be reached and fits this release."""
    url = environment.get("FACESERVE_DATABASE_URL")
    if not url:
        yield Finding("ok", "FACESERVE_DATABASE_URL is not set: `faceserve up` starts a PostgreSQL of its own")
        return
    try:
        asyncio.run(_open_and_close(url))
    except StoreError as error:
        yield Finding("problem", f"database: {error}")
    else:
        yield Finding("ok", "database: reachable, with the schema of this release")


def check_ray(environment: Mapping[str, str]) -> Iterator[Finding]:
    """Find out whether a node that is started here would have the environment that it needs."""
    is_behind_haproxy = environment.get("RAY_SERVE_ENABLE_HA_PROXY") == "1"
    wrong = differing(environment, haproxy=is_behind_haproxy)
    if environment.get("RAY_SERVE_THROUGHPUT_OPTIMIZED") == "1" and not is_behind_haproxy:
        yield Finding(
            "warning",
            "RAY_SERVE_THROUGHPUT_OPTIMIZED without RAY_SERVE_ENABLE_HA_PROXY leaves one proxy on the head node",
        )
    if PROXY_CALLBACK in wrong:
        yield Finding(
            "warning",
            f"clients can steer Serve by headers where {PROXY_CALLBACK} is not {ray_environment()[PROXY_CALLBACK]} "
            "(`faceserve up` sets it by itself)",
        )
    if wrong:
        yield Finding("warning", f'before `ray start`, run `eval "$(faceserve env)"`: it sets {", ".join(wrong)}')
    else:
        proxy = "HAProxy" if is_behind_haproxy else "Serve's proxy in Python"
        yield Finding("ok", f"the environment for `ray start` is complete, with {proxy}")


def check_ports() -> Iterator[Finding]:
    """Find out which internal ports other machines can reach right now."""
    seen = listeners()
    exposed = dict[str, list[Listener]]()
    for listener in seen:
        if listener.is_open:
            exposed.setdefault(listener.role, []).append(listener)
    for role, found in exposed.items():
        where = ", ".join(f"{each.address}:{each.port}" for each in found[:MAX_PORTS_SHOWN])
        more = f" and {len(found) - MAX_PORTS_SHOWN} more" if len(found) > MAX_PORTS_SHOWN else ""
        yield Finding("warning", f"{where}{more} ({role}) can be reached from other machines: keep behind a firewall")
    yield from _check_known_ports({listener.port for listener in seen})
    if seen and not exposed:
        yield Finding("ok", f"{len(seen)} internal ports, all on this machine's loopback alone")


def _check_known_ports(looked_at: Set[int]) -> Iterator[Finding]:
    """Knock at the usual ports, for processes of other users, whose sockets only root sees."""
    address = _outside_address()
    for port, what in INTERNAL_PORTS.items() if address is not None else ():
        assert address is not None
        if port not in looked_at and _answers(address, port):
            yield Finding("warning", f"port {port} ({what}) is reachable at {address}: keep it behind a firewall")


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


async def _open_and_close(url: str) -> None:
    from store.gallery import Gallery

    gallery = await Gallery.open(url, min_connections=1, max_connections=1, wait_s=0)
    await gallery.close()


def _outside_address() -> str | None:
    """Return the address that this machine is known by; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if address.startswith("127.") else address


def _answers(address: str, port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.3)
        return probe.connect_ex((address, port)) == 0
