"""The service as production runs it, on a Ray node of its own behind HAProxy: for measurements, and for tests."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from configs.ray_environment import ray_environment
from deployments.commands.up import HAPROXY_PORTS, any_free_port
from encoders.packs.catalog import OPENCV_PACK
from store.embedded.local import temporary_postgres
from tests.cluster.node import Cluster, deployment_of, production_config, running_cluster
from tests.models import opencv_settings
from tests.ports import free_port

ROOT = Path(__file__).parents[3]
README = Path(__file__).parent / "README.md"
# Serve gives a proxy 5 s to start before it kills it: too few on two cores that do something else as well
PATIENCE = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}


@contextlib.contextmanager
def running_service(
    change: Callable[[dict[str, Any]], None], encoder: dict[str, Any] | None = None, **variables: str
) -> Iterator[Cluster]:
    """Run serve_config.yaml on Serve's fast path, with what `change` makes of it in place.

    `encoder`: its settings in the YAML's `args`; by default the pack `opencv`.
    """

    def config(http_port: int) -> dict[str, Any]:
        told = production_config(http_port)
        told["applications"][0]["args"]["encoder"] = encoder or opencv_settings()
        change(told)
        return told

    ports = {name: str(any_free_port()) for name in HAPROXY_PORTS}  # other services run on machines where tests run
    environment = PATIENCE | ray_environment() | ports | variables
    with (
        temporary_postgres(port=free_port()) as postgres,
        running_cluster(postgres, config, **environment) as cluster,
    ):
        yield cluster


def pinned(replicas: int, *, ongoing: int | None = None, queued: int | None = None) -> Callable[[dict[str, Any]], None]:
    """Return the change that fixes the number of embedders, and with `ongoing` and `queued` how many requests wait."""

    def change(config: dict[str, Any]) -> None:
        embedder = deployment_of(config, "Embedder")
        embedder.pop("autoscaling_config")
        embedder["num_replicas"] = replicas
        if ongoing is not None:
            embedder["max_ongoing_requests"] = ongoing
        if queued is not None:
            embedder["max_queued_requests"] = queued

    return change


def add_service_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say which models the measured service runs, and where the result goes."""
    parser.add_argument("--models-dir", type=Path, help="directory of model packs; without it `opencv` runs")
    parser.add_argument("--pack", default=OPENCV_PACK, help="a directory below --models-dir")
    parser.add_argument("--write", action="store_true", help="write table and JSON into tests/benchmarks/endurance")


def encoder_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the encoder's settings that the options of `add_service_options` ask for."""
    if options.models_dir is None:
        return opencv_settings()
    return {"pack": options.pack, "models_dir": str(options.models_dir.absolute())}
