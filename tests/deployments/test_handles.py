"""A replica dies with the answer: reads are asked again, writes are not."""

from typing import Any

import grpc
import pytest
from ray.exceptions import ActorDiedError

from deployments.handles import remote_gallery
from deployments.ports import AnswerTooLarge, Unavailable
from deployments.telemetry.metrics import CALL_SECONDS, Metric, NoMeters


class DyingOnce:
    """A handle whose first replica dies while it works; the second one answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.execute = self

    async def remote(self, operation: str, args: Any, kwargs: Any) -> str:
        self.calls.append(operation)
        if len(self.calls) == 1:
            raise ActorDiedError
        return "answered"


async def test_a_read_is_asked_again_when_its_replica_dies() -> None:
    handle: Any = DyingOnce()
    gallery = remote_gallery(handle, NoMeters())

    found = await gallery.get_collection("default", "staff")

    assert str(found) == "answered"
    assert handle.calls == ["get_collection", "get_collection"]


async def test_a_write_is_not_asked_again_since_it_may_have_happened() -> None:
    handle: Any = DyingOnce()
    gallery = remote_gallery(handle, NoMeters())

    with pytest.raises(Unavailable):
        await gallery.delete_person("default", "staff", "ada")

    assert handle.calls == ["delete_person"]


class Refusing:
    """A handle whose calls end with a gRPC status, as Serve passes on all but those of dead replicas."""

    def __init__(self, status: grpc.StatusCode) -> None:
        self.status = status
        self.execute = self

    async def remote(self, operation: str, args: Any, kwargs: Any) -> str:
        raise grpc.aio.AioRpcError(self.status, grpc.aio.Metadata(), grpc.aio.Metadata())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, AnswerTooLarge),
        (grpc.StatusCode.INTERNAL, Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Unavailable),
    ],
)
async def test_what_grpc_refuses_is_an_error_of_ours(status: grpc.StatusCode, expected: type[Exception]) -> None:
    handle: Any = Refusing(status)

    with pytest.raises(expected):
        await remote_gallery(handle, NoMeters()).get_collection("default", "staff")


class Noted(NoMeters):
    """Meters that keep what they are told."""

    def __init__(self) -> None:
        self.noted: list[tuple[Metric, tuple[str, ...]]] = []

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        assert value >= 0
        self.noted.append((metric, labels))


async def test_a_call_that_fails_is_measured_too() -> None:
    handle: Any = DyingOnce()
    meters = Noted()

    with pytest.raises(Unavailable):
        await remote_gallery(handle, meters).delete_person("default", "staff", "ada")

    assert meters.noted == [(CALL_SECONDS, ("search",))]
