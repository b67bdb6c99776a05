from datetime import UTC, datetime

import pytest

from deployments.decisions.calibration.meaning import ScoreMeaning
from deployments.decisions.errors import NotCalibrated
from store.types import AppliedCalibration

TABLE = AppliedCalibration(
    calibration_id="c",
    applied_at=datetime(2026, 1, 1, tzinfo=UTC),
    former_threshold=0.4,
    persons=1000,
    persons_sampled=1000,
    scores=(0.0, 0.2, 0.4, 0.6),
    stranger_rates=(1.0, 0.1, 0.001, 0.0),
)


def test_a_rate_between_two_scores_falls_exponentially() -> None:
    meaning = ScoreMeaning(TABLE, persons=1000)

    assert meaning.stranger_rate(0.2) == pytest.approx(0.1)
    assert meaning.stranger_rate(0.3) == pytest.approx(0.01)
    assert meaning.stranger_rate(0.9) == pytest.approx(1e-9)
    assert meaning.stranger_rate(-0.3) == 1.0


def test_the_rate_grows_with_the_gallery_and_does_not_shrink() -> None:
    assert ScoreMeaning(TABLE, persons=10_000).stranger_rate(0.4) == pytest.approx(1 - 0.999**10)
    assert ScoreMeaning(TABLE, persons=10).stranger_rate(0.4) == pytest.approx(0.001)


def test_a_threshold_is_the_lowest_score_that_so_many_strangers_reach() -> None:
    meaning = ScoreMeaning(TABLE, persons=1000)

    assert meaning.threshold(None, 0.15) == 0.2
    assert meaning.threshold(None, 0.01) == 0.4
    assert meaning.threshold(None, 1e-12) == 1.0
    assert meaning.threshold(0.33, None) == 0.33
    assert meaning.threshold(None, None) is None


def test_without_a_calibration_no_rate_is_told_and_none_can_be_asked_for() -> None:
    meaning = ScoreMeaning(None, persons=1000)

    assert meaning.stranger_rate(0.4) is None
    with pytest.raises(NotCalibrated):
        meaning.threshold(None, 0.01)
