"""An image with which embedders die is not sent to one after another."""

from typing import Any

import pytest
from ray.exceptions import ActorDiedError

from deployments.handles import RemoteEmbedder
from deployments.ports import Unavailable
from deployments.suspects import MOST, REMEMBERED_S, Suspects
from deployments.telemetry.metrics import NoMeters
from encoders.errors import ImageRefused
from encoders.types import AnalyzeOptions

DEADLY = b"deadly"


class Embedders:
    """A handle of embedders that die of one image, and now and then of nothing."""

    def __init__(self, *deaths: bool) -> None:
        self.asked: list[bytes] = []
        self.deaths = list(deaths)
        self.analyze = self

    def options(self, **options: Any) -> "Embedders":
        return self

    async def remote(self, image: bytes, options: AnalyzeOptions) -> str:
        self.asked.append(image)
        if image == DEADLY or (self.deaths and self.deaths.pop(0)):
            raise ActorDiedError
        return "faces"


def embedder(handle: Any) -> RemoteEmbedder:
    return RemoteEmbedder(handle, NoMeters())


async def test_an_image_that_kills_embedders_takes_two_and_no_more() -> None:
    handle = Embedders()
    remote = embedder(handle)

    with pytest.raises(Unavailable):
        await remote.analyze(DEADLY, AnalyzeOptions())
    for _ in range(5):  # the client tries again
        with pytest.raises(ImageRefused):
            await remote.analyze(DEADLY, AnalyzeOptions())

    assert str(await remote.analyze(b"other", AnalyzeOptions())) == "faces"
    assert handle.asked == [DEADLY, DEADLY, b"other"]


async def test_an_image_whose_replica_died_by_chance_is_analysed_by_another() -> None:
    handle = Embedders(True, False, True, False)
    remote = embedder(handle)

    for _ in range(2):  # the second time is no second death: the image was analysed meanwhile
        assert str(await remote.analyze(b"good", AnalyzeOptions())) == "faces"


def test_a_refusal_ends() -> None:
    now = [0.0]
    suspects = Suspects(lambda: now[0])
    for _ in range(2):
        suspects.add(DEADLY)
    assert suspects.is_refused(DEADLY)

    now[0] = REMEMBERED_S + 1

    assert not suspects.is_refused(DEADLY)


def test_not_more_than_so_many_are_remembered() -> None:
    suspects = Suspects()
    for number in range(MOST + 1):
        for _ in range(2):
            suspects.add(str(number).encode())

    assert not suspects.is_refused(b"0")
    assert suspects.is_refused(b"1")
