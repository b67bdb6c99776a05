"""The health check asks the parts once for all who want to know."""

import asyncio
from typing import Any, cast

from configs.tuning import IngressTuning
from deployments.http import health
from deployments.http.health import HealthCheck
from deployments.ports import Services, Unavailable
from tests.deployments.service import FixedTuning


class Parts:
    """An embedder and a gallery that count how often they are asked, and answer when told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_away = False
        self.may_answer = asyncio.Event()

    async def describe(self) -> None:
        self.asked += 1
        await self.may_answer.wait()

    async def ping(self) -> None:
        if self.is_away:
            raise Unavailable("database")


def check_of(parts: Parts) -> HealthCheck:
    return HealthCheck(Services(cast(Any, parts), cast(Any, parts), FixedTuning(IngressTuning())))


async def test_many_who_ask_at_once_are_one_question() -> None:
    parts = Parts()
    check = check_of(parts)

    asking = [asyncio.create_task(check.check()) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()  # the first one leaves
    parts.may_answer.set()
    answers = await asyncio.gather(*asking[1:])

    assert parts.asked == 1
    assert all(answer.is_ready for answer in answers)


async def test_good_health_is_told_for_a_while_and_then_looked_at_again(monkeypatch: Any) -> None:
    parts = Parts()
    parts.may_answer.set()
    check = check_of(parts)

    await check.check()
    parts.is_away = True
    remembered = await check.check()
    monkeypatch.setattr(health, "MAX_AGE_S", 0.0)
    looked = await check.check()

    assert remembered.is_ready
    assert not looked.database
    assert parts.asked == 2


async def test_bad_health_is_looked_at_again_at_once() -> None:
    parts = Parts()
    parts.may_answer.set()
    parts.is_away = True
    check = check_of(parts)

    ill = await check.check()
    parts.is_away = False
    well = await check.check()

    assert not ill.is_ready
    assert well.is_ready
