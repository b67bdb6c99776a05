import numpy as np
import numpy.typing as npt
import pytest

from deployments.decisions.calibration import tail
from deployments.decisions.calibration.policy import Policy, choose
from deployments.decisions.calibration.rates import NOBODY, Members, Rate, Strangers
from tests.benchmarks.store.vectors import Population, persons

RATES = (0.1, 0.03, 0.01)


def alone(scores: npt.ArrayLike, persons: int = 10_000) -> Strangers:
    """Strangers of whom no two have to do with each other."""
    array = np.asarray(scores, np.float64)
    return Strangers(array, np.full(len(array), NOBODY), persons)


def gallery_of(everybody: npt.NDArray[np.float32], size: int, draw: int) -> tuple[Strangers, npt.NDArray[np.float64]]:
    """A random gallery with what its members say of strangers, and the best scores of those who are not in it."""
    order = np.random.default_rng(draw).permutation(len(everybody))
    members, strangers = everybody[order[:size]], everybody[order[size:]]
    similarities = members @ members.T
    np.fill_diagonal(similarities, -1)
    return (
        Strangers(similarities.max(axis=1).astype(np.float64), similarities.argmax(axis=1), size),
        (strangers @ members.T).max(axis=1).astype(np.float64),
    )


@pytest.mark.parametrize("relatives", [0.0, 0.5], ids=["all are unrelated", "families of four"])
def test_the_interval_holds_the_true_rate_of_strangers(relatives: float) -> None:
    everybody = np.concatenate([block[:, 0] for block in persons(Population(), 8000, 1)])
    families = np.repeat(everybody[:2000], 4, axis=0)
    everybody = relatives * families + (1 - relatives**2) ** 0.5 * everybody
    everybody /= np.linalg.norm(everybody, axis=1, keepdims=True)
    held = 0

    for draw in range(20):
        told, truth = gallery_of(everybody, 1000, draw)
        for rate in RATES:
            found = told.at(float(np.quantile(truth, 1 - rate)))
            held += found.low <= rate <= found.high

    assert held >= 0.93 * 20 * len(RATES)


def test_a_rate_that_nobody_passed_is_extrapolated_and_says_so() -> None:
    scores = np.random.default_rng(2).normal(0.2, 0.05, 1000)

    counted, extrapolated = alone(scores).at(0.25), alone(scores).at(0.36)

    assert not counted.extrapolated
    assert counted.low < 0.1587 < counted.high
    assert extrapolated.extrapolated
    assert extrapolated.low <= 0.000687 <= extrapolated.high < 0.005


def test_partners_who_err_together_count_as_one() -> None:
    scores = np.array([0.9] * 10 + [0.1] * 90)
    pairs = np.array([place ^ 1 for place in range(100)])

    together = Strangers(scores, pairs, 100).counted(0.5)

    assert together.value == alone(scores).counted(0.5).value == 0.1
    assert together.high > alone(scores).counted(0.5).high


def test_a_larger_gallery_errs_more_often_and_a_smaller_one_is_told_no_less() -> None:
    rate = Rate(0.01, 0.005, 0.02)

    assert rate.grown(10).value == pytest.approx(1 - 0.99**10)
    assert rate.grown(10).high == pytest.approx(1 - 0.98**10)
    assert rate.grown(0.5) == rate
    assert Rate(1.0, 0.5, 1.0).grown(10).value == 1.0


def test_members_below_the_threshold_are_missed() -> None:
    missed = Members(np.array([0.3, 0.5, 0.6, 0.7])).at(0.5)

    assert missed is not None and missed.value == 0.25
    assert Members(np.array([])).at(0.5) is None


def test_a_policy_takes_the_lowest_threshold_whose_upper_bound_holds() -> None:
    strangers = alone(np.linspace(0.0, 0.5, 2001))
    members = Members(np.linspace(0.4, 0.9, 101))

    choice = choose(strangers, members, Policy(max_fpir=0.05, persons=10_000))

    assert choice.enough and choice.threshold is not None and choice.strangers is not None
    assert choice.strangers.high <= 0.05 < strangers.counted(choice.threshold - 0.001).high
    assert choice.members is not None and choice.members.value == pytest.approx(0.15, abs=0.02)


def test_a_policy_for_a_larger_gallery_asks_for_a_higher_threshold() -> None:
    strangers = alone(np.random.default_rng(1).normal(0.2, 0.05, 5000))

    thresholds = [choose(strangers, Members(np.array([])), Policy(0.1, size)).threshold for size in (10_000, 100_000)]

    assert None not in thresholds and thresholds == sorted(set(thresholds))


def test_too_few_persons_are_told_how_many_are_needed_instead_of_a_threshold() -> None:
    strangers = alone(np.random.default_rng(1).normal(0.2, 0.05, 300))

    choice = choose(strangers, Members(np.array([])), Policy(max_fpir=0.001, persons=10_000))

    assert not choice.enough and choice.threshold is None
    assert 3600 < choice.needs_persons < 4000


def test_too_few_persons_may_be_extrapolated_where_that_is_asked_for() -> None:
    strangers = alone(np.random.default_rng(1).normal(0.2, 0.05, 1000))

    choice = choose(strangers, Members(np.array([])), Policy(max_fpir=0.001, persons=10_000, extrapolate=True))

    assert not choice.enough and choice.strangers is not None and choice.strangers.extrapolated
    assert choice.threshold is not None and 0.34 < choice.threshold < 0.5


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1])
def test_a_rate_outside_of_0_and_1_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="above 0 and below 1"):
        choose(alone([0.1]), Members(np.array([])), Policy(rate, 1))


def test_the_tail_of_a_known_law_is_found() -> None:
    excesses = np.random.default_rng(1).exponential(0.03, 20_000)

    fitted = tail.fit(excesses)

    assert fitted is not None
    assert fitted.shape == pytest.approx(0.0, abs=0.05)
    assert fitted.rate(0.03 * np.log(1000)) == pytest.approx(0.001, rel=0.15)
    assert fitted.rate(fitted.score(0.001)) == pytest.approx(0.001)


def test_few_or_equal_scores_have_no_tail() -> None:
    assert tail.fit(np.linspace(0, 1, 49)) is None
    assert tail.fit(np.full(100, 0.3)) is None
