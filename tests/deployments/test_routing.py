"""The next image goes to the replica that has the fewest."""

from dataclasses import dataclass
from typing import Any, cast

import pytest

from deployments.routing import LeastBusyRouter


@dataclass(frozen=True)
class Replica:
    replica_id: str


REPLICAS: Any = [Replica("a"), Replica("b"), Replica("c")]


@pytest.fixture
def router() -> Any:
    """A router outside of Serve, which makes them with its own queue lengths, handles and metrics."""
    made = cast(Any, LeastBusyRouter.__new__(LeastBusyRouter))
    made._use_replica_queue_len_cache = False
    made.initialize_state()
    return made


async def ranking(router: Any, replicas: Any = REPLICAS) -> list[str]:
    return [replica.replica_id for (replica,) in await router.choose_replicas(replicas)]


async def test_the_replica_with_the_fewest_requests_comes_first(router: Any) -> None:
    for replica in ("a", "a", "b", "b", "b", "c"):
        router.on_send_request(replica)

    assert await ranking(router) == ["c", "a", "b"]


async def test_a_request_that_is_over_no_longer_counts(router: Any) -> None:
    for replica in ("a", "b", "b", "c", "c", "c"):
        router.on_send_request(replica)
    for _ in range(3):
        router.on_request_completed("c", "request")

    assert (await ranking(router))[0] == "c"


async def test_replicas_that_are_equally_busy_take_turns_by_chance(router: Any) -> None:
    assert {(await ranking(router))[0] for _ in range(100)} == {"a", "b", "c"}


async def test_a_request_that_could_not_be_sent_gives_no_credit(router: Any) -> None:
    router.on_request_completed("a", "request")
    router.on_send_request("b")
    router.on_send_request("a")

    assert (await ranking(router))[0] == "c"


async def test_what_a_replica_had_when_it_went_is_forgotten(router: Any) -> None:
    router.on_send_request("a")
    await ranking(router, REPLICAS[1:])
    router.on_send_request("b")

    assert set((await ranking(router))[:2]) == {"a", "c"}
