"""What a figure was measured on, and what processes cost."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

# By what a command line or its name holds, the first that fits.
ROLES = (
    ("Replica:faceserve:Embedder", "Embedder"),
    ("Replica:faceserve:Ingress", "Ingress"),
    ("Replica:faceserve:Search", "Search"),
    ("postgres", "PostgreSQL"),
    ("haproxy ", "HAProxy"),
    ("ray::HAProxyManager", "HAProxy's manager"),
    ("ray::ProxyActor", "proxy"),
    ("ray::ServeController", "controller"),
    ("/raylet ", "raylet"),
    ("gcs_server", "GCS"),
    ("ray", "Ray's others"),
    ("uvicorn", "worker"),
    ("multiprocessing", "worker"),
)


def description() -> dict[str, object]:
    """Return the machine, the versions and the commit, for a result file."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "onnxruntime": _version("onnxruntime") or _version("onnxruntime-gpu"),
        "openvino": _version("openvino"),
        "ray": _version("ray"),
        "insightface": _version("insightface"),
        "commit": _commit(),
    }


def sentence(machine: dict[str, object]) -> str:
    """Return a description as one line of a page."""
    versions = ", ".join(
        f"{title} {machine[key]}"
        for key, title in (
            ("python", "Python"),
            ("onnxruntime", "ONNX Runtime"),
            ("openvino", "OpenVINO"),
            ("ray", "Ray"),
            ("insightface", "InsightFace"),
        )
        if machine[key]
    )
    return f"{machine['cores']} cores of {machine['processor']}; {versions}; commit {machine['commit']}."


@dataclass(frozen=True, slots=True)
class Cost:
    """What processes have used until now, by role: CPU seconds in all, and the largest resident set in MB."""

    cpu_seconds: dict[str, float]
    rss_mb: dict[str, float]

    def since(self, before: "Cost") -> dict[str, float]:
        """Return the CPU seconds of each role after `before`."""
        return {role: spent - before.cpu_seconds.get(role, 0.0) for role, spent in self.cpu_seconds.items()}


def cost(roots: Iterable[psutil.Process]) -> Cost:
    """Return what `roots` and all processes below them have used until now."""
    cpu, rss = dict[str, float](), dict[str, float]()
    for root in roots:
        for process in [root, *root.children(recursive=True)]:
            try:
                times = process.cpu_times()
                role = role_of(f"{' '.join(process.cmdline())} {process.name()}")
                resident = process.memory_info().rss / 2**20
            except psutil.NoSuchProcess:
                continue
            cpu[role] = cpu.get(role, 0.0) + times.user + times.system
            rss[role] = max(rss.get(role, 0.0), resident)
    return Cost(cpu, rss)


def role_of(command: str) -> str:
    """Return what a process with this command line is for."""
    return next((role for part, role in ROLES if part in command), "others")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The kernel's words; where they say no more than the maker, what tells how fast int8 and fp32 are."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    known = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "amx_int8") if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(known) or 'no AVX2'})"


def _commit() -> str:
    """Return the commit that runs, with `-dirty` where the code differs from it; what runs write does not count."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "*.py", "*.yaml", "*.sql", "uv.lock")
    return (_git("rev-parse", "--short", "HEAD") or "unknown") + ("-dirty" if changed else "")


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=False).stdout.strip()
