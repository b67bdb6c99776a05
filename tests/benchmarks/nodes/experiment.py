"""A node dies while it is asked for faces: what its clients saw, and what is there afterwards."""

import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import skimage.data
from PIL import Image

from tests.benchmarks.gaps import longest_gap_s
from tests.benchmarks.nodes.cluster import Nodes
from tests.benchmarks.nodes.load import COLLECTION, Record, load
from tests.cluster.node import wait_for

CLIENTS = 6


@dataclass(frozen=True, slots=True)
class NodeDeath:
    """What was seen. Times in seconds from the kill."""

    before: dict[str, list[str]]  # the nodes of each deployment's replicas
    record: Record
    killed_at: float
    last_failure_s: float  # 0.0: nobody saw it
    longest_silence_s: float  # without any answer that was right
    noticed_s: float  # Serve no longer counts the node's replicas
    restored_s: float  # after a successor was started: every replica runs, spread as before
    after: dict[str, list[str]]
    missing: list[str]  # acknowledged persons that are not there, whole and with their one face
    half_there: list[str]  # persons of whom a failed enrolment left a part

    @property
    def answers_after(self) -> int:
        """How many right answers came after the kill."""
        return sum(answer.is_ok and answer.at > self.killed_at for answer in self.record.answers)


def photo() -> bytes:
    """Return a small PNG with one face."""
    buffer = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).crop((100, 0, 350, 250)).save(buffer, "PNG")
    return buffer.getvalue()


def kill_a_node(nodes: Nodes, *, before_s: float, after_s: float) -> NodeDeath:
    """Ask for `before_s`, kill a worker node, ask for `after_s` at least, start a successor, and look."""
    picture, record = photo(), Record()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(nodes.client()) for _ in range(CLIENTS + 1)]
        created = clients[0].post("/v1/collections", json={"id": COLLECTION, "name": "Crew"})
        assert created.status_code == 201, created.text
        before = nodes.placement()

        with load(clients[1:], picture, record):
            time.sleep(before_s)
            victim = nodes.workers.pop(0)
            killed_at = time.monotonic()
            victim.kill()
            lost = {node for spread in before.values() for node in spread}
            noticed = seconds_until(lambda: len(nodes_of(nodes.placement())) < len(lost), since=killed_at)
            time.sleep(max(0.0, after_s - (time.monotonic() - killed_at)))
            successor_at = time.monotonic()
            wait_for(nodes.add_worker().has_joined)
            restored = seconds_until(lambda: is_spread(nodes.placement(), before), since=successor_at)

        missing = [person for person in record.acknowledged if faces_of(clients[0], person) != 1]
        half_there = [person for person in record.unacknowledged if faces_of(clients[0], person) not in (None, 1)]
    failed = [answer.at for answer in record.answers if not answer.is_ok and answer.at > killed_at]
    return NodeDeath(
        before=before,
        record=record,
        killed_at=killed_at,
        last_failure_s=max(failed, default=killed_at) - killed_at,
        longest_silence_s=longest_silence(record, killed_at),
        noticed_s=noticed,
        restored_s=restored,
        after=nodes.placement(),
        missing=missing,
        half_there=half_there,
    )


def nodes_of(placement: dict[str, list[str]]) -> set[str]:
    """Return every node that something runs on."""
    return {node for spread in placement.values() for node in spread}


def is_spread(placement: dict[str, list[str]], before: dict[str, list[str]]) -> bool:
    """Tell whether ingress and search run on as many nodes as before, and as many embedders as before run at all."""
    apart = all(len(set(placement[name])) == len(set(before[name])) for name in ("Ingress", "Search"))
    return apart and len(placement["Embedder"]) >= len(before["Embedder"])


def longest_silence(record: Record, since: float) -> float:
    """Return the longest time without a right answer, from `since` to the last answer."""
    after = [answer for answer in record.answers if answer.at > since]
    ended = max((answer.at for answer in after), default=since)
    return longest_gap_s(since, (answer.at for answer in after if answer.is_ok), ended)


def seconds_until(condition: Callable[[], bool], since: float) -> float:
    """Wait for `condition` and return how long after `since` it held. The dashboard may be away meanwhile."""

    def holds() -> bool:
        with contextlib.suppress(httpx.HTTPError, KeyError):
            return condition()
        return False

    wait_for(holds)
    return time.monotonic() - since


def faces_of(client: httpx.Client, person: str) -> Any:
    """Return how many faces a person has, None if there is no such person."""
    response = client.get(f"/v1/collections/{COLLECTION}/persons/{person}")
    if response.status_code == 404:
        return None
    assert response.status_code == 200, response.text
    return response.json()["person"]["face_count"]
