"""A node is killed while clients ask: the service goes on, and keeps what it acknowledged."""

import os
from collections.abc import Iterator

import pytest

from tests.benchmarks.nodes.cluster import running_nodes
from tests.benchmarks.nodes.experiment import NodeDeath, kill_a_node, nodes_of

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        "FACESERVE_TEST_NODES" not in os.environ,
        reason="three Ray nodes want an idle machine, and a minute or two of it; FACESERVE_TEST_NODES=1 runs them",
    ),
]


@pytest.fixture(scope="module")
def death() -> Iterator[NodeDeath]:
    with running_nodes() as nodes:
        yield kill_a_node(nodes, before_s=2, after_s=8)


def test_every_deployment_runs_on_both_nodes_before(death: NodeDeath) -> None:
    assert [len(set(spread)) for spread in death.before.values()] == [2, 2, 2]


def test_the_service_goes_on_while_the_node_is_dead(death: NodeDeath) -> None:
    assert death.answers_after > 0


def test_every_acknowledged_enrolment_is_there_with_its_one_face(death: NodeDeath) -> None:
    assert len(death.record.acknowledged) > 0
    assert death.missing == []


def test_no_failed_enrolment_left_a_part(death: NodeDeath) -> None:
    assert death.half_there == []


def test_before_the_death_nothing_failed(death: NodeDeath) -> None:
    early = [answer for answer in death.record.answers if answer.at < death.killed_at]

    assert [answer.code for answer in early if not answer.is_ok] == []


def test_what_failed_was_told_by_the_service_or_lost_with_the_connection(death: NodeDeath) -> None:
    lost = {"ReadError", "RemoteProtocolError", "ConnectError", "WriteError"}
    ours = {"unavailable", "database_unavailable", "overloaded", "request_timeout"}

    assert {code for code in death.record.failures() if code not in lost} <= ours


def test_a_new_node_takes_the_place_of_the_dead_one(death: NodeDeath) -> None:
    assert [len(set(death.after[name])) for name in ("Ingress", "Search")] == [2, 2]
    assert nodes_of(death.after) != nodes_of(death.before)
