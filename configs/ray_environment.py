"""The environment that every node has before Ray starts: each variable, its value and the reason.

`faceserve env` prints it for a shell, `faceserve up` sets it for itself. The Dockerfile and the Kubernetes manifests
repeat it, and a test compares them with this module.
"""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

PROXY_CALLBACK = "RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH"


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable that Ray, Ray Serve or ONNX Runtime reads when it starts."""

    name: str
    value: str
    reason: str


EVERYWHERE = (
    Variable(PROXY_CALLBACK, "deployments.edge:middlewares", "Drops the headers by which a client could steer Serve."),
    Variable("RAY_AUTH_MODE", "token", "Ray's own ports ask for Ray's token. Without it they run anybody's code."),
    Variable(
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S",
        "2",
        "Serve replaces a dead proxy after three failed checks: 6 s, instead of 30 s at Ray's default of 10.",
    ),
    Variable(
        "RAY_SERVE_CONTROL_LOOP_INTERVAL_S",
        "0.5",
        # measured at 34 searches a second: 0.5 ms of CPU for each search, instead of 1.3 ms at Ray's default of 0.1
        "Serve's controller looks twice a second instead of ten times, which costs less CPU.",
    ),
    Variable("RAY_worker_niceness", "0", "At Ray's default of 15, every other process takes the CPU from the models."),
    Variable("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0", "Under `uv run`, Ray would start each worker through uv again."),
    Variable("RAY_USAGE_STATS_ENABLED", "0", "Ray sends no usage statistics."),
    Variable("ORT_DISABLE_TELEMETRY", "1", "ONNX Runtime sends no usage statistics."),
)
WITH_HAPROXY = (
    Variable("RAY_SERVE_ENABLE_HA_PROXY", "1", "HAProxy takes requests instead of Serve's slower proxy in Python."),
    Variable(
        "RAY_SERVE_THROUGHPUT_OPTIMIZED",
        "1",
        "Serve's throughput profile. Without HAProxy it would leave a single proxy, on the head node.",
    ),
    Variable(
        "RAY_SERVE_REPLICA_GRPC_MAX_MESSAGE_LENGTH",
        str(16 * 2**20),
        # numbers are longer between replicas than in JSON: a page of 100 persons with full metadata is up to 3 MB
        "Largest answer between replicas, 16 MB: 1,000 candidates with their metadata. Ray's default is 4 MB.",
    ),
    Variable("RAY_SERVE_HAPROXY_NBTHREAD", "1", "One thread of HAProxy instead of four leaves the CPU to the models."),
    Variable(
        "RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S",
        "60",
        "HAProxy ends the connection of a client that is silent for a minute. Ray's default is an hour.",
    ),
)


def ray_environment(*, haproxy: bool = True) -> dict[str, str]:
    """Return the variables of every node; without `haproxy`, those for Serve's proxy in Python."""
    return {variable.name: variable.value for variable in EVERYWHERE + (WITH_HAPROXY if haproxy else ())}


def shell_exports(environment: Mapping[str, str]) -> str:
    """Return one `export` line for each variable, quoted for a POSIX shell."""
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in environment.items())


def differing(environment: Mapping[str, str], *, haproxy: bool = True) -> list[str]:
    """Return the names whose value in `environment` is missing or another one."""
    return [name for name, value in ray_environment(haproxy=haproxy).items() if environment.get(name) != value]
