"""Where a running service listens, and that `faceserve doctor` says so."""

import pytest

from deployments.commands.doctor import check_ports
from deployments.commands.listeners import Listener, listeners
from tests.cluster.node import Cluster

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def found(service: Cluster | None) -> list[Listener]:
    if service is None:
        pytest.skip("the service is not one of this machine")
    return listeners()


def test_the_ports_that_nobody_should_reach_are_seen_and_told(service: Cluster, found: list[Listener]) -> None:
    roles = {listener.role.partition(":")[0] for listener in found if listener.is_open}
    said = [finding.what for finding in check_ports() if finding.state == "warning"]

    assert {"Ray's control store", "Ray's scheduler and object store", "HAProxy"} <= roles
    for role in roles:
        assert any(role in what for what in said)


def test_haproxys_statistics_and_metrics_are_open_and_its_front_is_not(service: Cluster, found: list[Listener]) -> None:
    haproxy = {listener.port: listener for listener in found if listener.role.startswith("HAProxy")}

    assert not haproxy[service.http_port].is_open
    for name in ("RAY_SERVE_HAPROXY_STATS_PORT", "RAY_SERVE_HAPROXY_METRICS_PORT"):
        assert haproxy[int(service.environment[name])].is_open


def test_dashboard_and_database_listen_on_the_loopback_alone(service: Cluster, found: list[Listener]) -> None:
    for port in (service.dashboard_port, int(service.postgres.url.rpartition(":")[2].partition("/")[0])):
        assert [listener.is_open for listener in found if listener.port == port] == [False]
