from math import comb

import pytest

from deployments.decisions.calibration.binomial import interval, needed_trials


def at_most(errors: int, trials: int, share: float) -> float:
    return sum(comb(trials, count) * share**count * (1 - share) ** (trials - count) for count in range(errors + 1))


@pytest.mark.parametrize(("errors", "trials"), [(1, 10), (3, 300), (30, 1000), (299, 300), (150, 300)])
def test_the_bounds_are_where_the_count_has_a_chance_of_one_in_forty(errors: int, trials: int) -> None:
    low, high = interval(errors, trials)

    assert low < errors / trials < high
    assert at_most(errors, trials, high) == pytest.approx(0.025, rel=1e-6)
    assert 1 - at_most(errors - 1, trials, low) == pytest.approx(0.025, rel=1e-6)


def test_no_error_in_300_shows_at_most_1_2_percent() -> None:
    assert interval(0, 300) == (0.0, pytest.approx(0.01222, abs=1e-5))
    assert interval(300, 300) == (pytest.approx(1 - 0.01222, abs=1e-5), 1.0)


def test_nothing_is_known_without_trials() -> None:
    assert interval(0, 0) == (0.0, 1.0)


def test_needed_trials_show_the_rate_and_one_fewer_does_not() -> None:
    needed = needed_trials(0.001)

    assert interval(0, needed)[1] <= 0.001 < interval(0, needed - 1)[1]


@pytest.mark.parametrize("errors", [-1, 11])
def test_more_errors_than_trials_are_refused(errors: int) -> None:
    with pytest.raises(ValueError, match="expected 0 to 10 errors"):
        interval(errors, 10)
