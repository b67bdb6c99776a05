"""Recall is measured in the background, on a share of the searches."""

from typing import Any, cast

import pytest

from deployments.telemetry.metrics import RECALL_SAMPLES, Metric
from deployments.telemetry.recall import RecallSampler
from store.errors import StoreUnavailable
from store.types import Candidate, SearchOutcome


def outcome(*similarities: float, is_exact: bool = False) -> SearchOutcome:
    """Return what a search with one probe for each of `similarities`, that of its best person, found."""
    candidates = tuple((Candidate(cast(Any, None), "face", similarity),) for similarity in similarities)
    return SearchOutcome(0.4, candidates, is_exact=is_exact)


class Exact:
    """A gallery that knows the exact answer, and how it was asked."""

    def __init__(self, answer: SearchOutcome | Exception) -> None:
        self._answer = answer
        self.asked: list[dict[str, Any]] = []

    async def search(self, *args: Any, **kwargs: Any) -> SearchOutcome:
        self.asked.append(kwargs)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Kept:
    def __init__(self) -> None:
        self.outcomes: list[str] = []

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        assert metric is RECALL_SAMPLES
        self.outcomes += labels


async def sampled(exact: Exact, found: SearchOutcome, share: float) -> list[str]:
    """Return what is recorded when `found` was answered."""
    meters = Kept()
    sampler = RecallSampler(cast(Any, exact), meters, share)
    sampler.consider(found, ("tenant",), {"exclude_person": None})
    await sampler.finished()
    return meters.outcomes


async def test_each_probe_is_the_same_or_missed() -> None:
    exact = Exact(outcome(0.9, 0.8, 0.7, is_exact=True))

    recorded = await sampled(exact, outcome(0.9, 0.5, 0.7 - 1e-7), share=1)

    assert recorded == ["same", "missed", "same"]
    assert exact.asked == [{"exclude_person": None, "exactly": True}]


@pytest.mark.parametrize(("found", "share"), [(outcome(0.9, is_exact=True), 1.0), (outcome(0.9), 0.0)])
async def test_an_exact_search_or_one_outside_the_share_is_not_repeated(found: SearchOutcome, share: float) -> None:
    exact = Exact(outcome(0.9))

    assert await sampled(exact, found, share) == []
    assert exact.asked == []


async def test_a_database_that_is_away_is_no_sample() -> None:
    assert await sampled(Exact(StoreUnavailable()), outcome(0.9), share=1) == []
