"""What a replica tells of its last minutes."""

from dataclasses import dataclass

from deployments.http.traffic import MINUTES, Traffic
from tests.deployments.service import Clients


@dataclass
class Clock:
    now: float = 60_000_000.0

    def __call__(self) -> float:
        return self.now


def test_answers_are_counted_by_the_minute() -> None:
    clock = Clock()
    traffic = Traffic(clock)
    for milliseconds in (10, 20, 30, 400):
        traffic.record(200, milliseconds / 1e3)
    clock.now += 60
    traffic.record(503, 0.005)

    *_, former, latest = traffic.minutes

    assert (former.requests, former.failed, former.p50_ms, former.p95_ms) == (4, 0, 20.0, 400.0)
    assert (latest.requests, latest.failed, latest.p50_ms) == (1, 1, 5.0)


def test_what_is_older_than_the_last_minutes_is_forgotten() -> None:
    clock = Clock()
    traffic = Traffic(clock)
    traffic.record(200, 0.01)
    clock.now += 60 * MINUTES

    assert [minute.requests for minute in traffic.minutes] == [0] * MINUTES
    assert traffic.minutes[-1].p50_ms is None


async def test_the_system_tells_its_traffic(clients: Clients) -> None:
    api = clients()
    await api.get("/v1/collections")

    system = (await api.get("/v1/system")).json()

    assert len(system["traffic"]) == MINUTES
    assert sum(minute["requests"] for minute in system["traffic"]) >= 1
