"""What a figure was measured on, and what processes cost."""

import importlib.metadata
import os
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil


def description() -> dict[str, object]:
    """Return the machine, the versions and the commit, for a result file."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "onnxruntime": importlib.metadata.version("onnxruntime"),
        "ray": importlib.metadata.version("ray"),
        "insightface": importlib.metadata.version("insightface"),
        "commit": _commit(),
    }


@dataclass(frozen=True, slots=True)
class Cost:
    """What a set of processes has used: CPU seconds in all, and the largest resident set in MB by process name."""

    cpu_seconds: float
    rss_mb: dict[str, float]


def cost(root: psutil.Process) -> Cost:
    """Return what `root` and all processes below it have used until now."""
    cpu, rss = 0.0, dict[str, float]()
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
            name = " ".join(process.cmdline())[:60] or process.name()
            resident = process.memory_info().rss / 2**20
        except psutil.NoSuchProcess:
            continue
        cpu += times.user + times.system
        rss[name] = max(rss.get(name, 0.0), resident)
    return Cost(cpu, rss)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
