"""One running service for all tests here: production's YAML behind HAProxy, with less patience."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.benchmarks.endurance.running import pinned, running_service
from tests.cluster.node import Cluster
from tests.deployments.pictures import encoded, portrait

BODY_TIMEOUT_S = 2.0
REQUEST_TIMEOUT_S = 4.0
MAX_IN_FLIGHT = 16


@pytest.fixture(scope="package")
def service() -> Iterator[Cluster]:
    def change(config: dict[str, Any]) -> None:
        pinned(1)(config)
        config["applications"][0]["args"]["api"] |= {
            "body_timeout_s": BODY_TIMEOUT_S,
            "request_timeout_s": REQUEST_TIMEOUT_S,
            "max_in_flight": MAX_IN_FLIGHT,
        }

    with running_service(change, RAY_SERVE_HAPROXY_TIMEOUT_CLIENT_S="3") as running:
        yield running


@pytest.fixture(scope="session")
def photo() -> bytes:
    return encoded(portrait())
