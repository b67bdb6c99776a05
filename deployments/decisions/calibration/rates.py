"""The two error rates of a gallery by threshold, counted over persons and not over pairs.

A stranger's search makes an error if anybody of the gallery scores at or above the threshold (false positive
identification rate, FPIR, ISO/IEC 19795-1); one of a member if he himself scores below it (false negative
identification rate, FNIR). One score for each sampled person carries all that depends on him.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from deployments.decisions.calibration import tail
from deployments.decisions.calibration.binomial import interval, needed_trials

NOBODY = -1  # partner of a person whose best other was not sampled
COUNTED_ERRORS = 3  # rule of three: below 3/n nothing can be counted
TAIL_CONFIDENCE = 0.995  # at 0.975 the bound of 300 strangers was below the truth in 15 of 100 galleries, now in 5


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of searches, 0 to 1, with its bounds at 95%. `extrapolated`: by a law fitted to the tail, not counted."""

    value: float
    low: float
    high: float
    extrapolated: bool = False

    def grown(self, factor: float) -> "Rate":
        """Return the rate in a gallery `factor` times as large, as an upper bound."""
        value, low, high = (grown(share, factor) for share in (self.value, self.low, self.high))
        return Rate(value, low, high, self.extrapolated)


def grown(share: float, factor: float) -> float:
    """Return an upper bound of the FPIR `share` in a gallery `factor` times as large; of a smaller one, `share` itself.

    1 - (1 - p)^factor counts strangers as if all were alike. As it is concave in p, unequal ones err less often.
    """
    if factor <= 1.0 or share >= 1.0:
        return share
    return -math.expm1(factor * math.log1p(-share))


@dataclass(frozen=True)
class Strangers:
    """The best score of each of n sampled strangers over all `persons` of a gallery but themselves.

    `scores`: float64 (n,), cosines. `partners`: int64 (n,), for each the position in the sample of the person who
    scored best, or `NOBODY` where he is not in it. Two persons who are each other's best err together, so partners
    count as one trial.
    """

    scores: npt.NDArray[np.float64]
    partners: npt.NDArray[np.int64]
    persons: int

    def at(self, threshold: float) -> Rate:
        """Return the FPIR at `threshold` in the gallery as it is."""
        counted = self.counted(threshold)
        errors = counted.value * len(self.scores)
        if errors >= COUNTED_ERRORS or self._tail is None or threshold < self._tail.start:
            return counted
        # Strangers who look alike in families lie above the fitted law, so only its upper bound is stated.
        high = np.quantile([fitted.rate(max(threshold, fitted.start)) for fitted in self._resampled], TAIL_CONFIDENCE)
        value = self._tail.rate(threshold)
        return Rate(value, min(counted.low, value), max(float(high), value), extrapolated=True)

    def counted(self, threshold: float) -> Rate:
        """Return the FPIR at `threshold` as counted, with the interval of Clopper and Pearson."""
        trials = len(self.scores)
        if trials == 0:
            return Rate(1.0, 0.0, 1.0)
        passing = self.scores >= threshold
        effect = self._design_effect(passing)
        errors = int(passing.sum())
        effective = max(1, int(trials / effect))
        low, _ = interval(min(int(errors / effect), effective), effective)
        _, high = interval(min(-int(-errors // effect), effective), effective)
        return Rate(errors / trials, low, high)

    def needed_for(self, rate: float) -> int:
        """Return how many sampled persons, none of whom errs, show at most `rate`."""
        return int(needed_trials(rate) * self._least_effect) + 1

    @cached_property
    def _least_effect(self) -> float:
        # A person's partner is himself a person whose best is at least as good: where all are sampled, errors come in
        # pairs.
        return 1.0 + min(1.0, len(self.scores) / max(1, self.persons))

    def _design_effect(self, passing: npt.NDArray[np.bool_]) -> float:
        """Return how many of the errors come together, on average over the errors (Kish 1965)."""
        where = np.flatnonzero(passing)
        if len(where) == 0:
            return self._least_effect
        sizes = np.bincount(_components(where, self.partners))
        sizes = sizes[sizes > 0].astype(np.float64)
        return max(float((sizes**2).sum() / sizes.sum()), 1.0)

    @cached_property
    def _tail(self) -> tail.Tail | None:
        return tail.fit(self.scores)

    @cached_property
    def _resampled(self) -> tuple[tail.Tail, ...]:
        return tail.resampled(self.scores, int(len(self.scores) / self._least_effect))


@dataclass(frozen=True)
class Members:
    """The best score of each of n sampled members with another photo of their own, float64 (n,)."""

    scores: npt.NDArray[np.float64]

    def at(self, threshold: float) -> Rate | None:
        """Return the FNIR at `threshold`: who is missed though he is in the gallery. None without members."""
        trials = len(self.scores)
        if trials == 0:
            return None
        errors = int((self.scores < threshold).sum())
        return Rate(errors / trials, *interval(errors, trials))


def _components(where: npt.NDArray[np.int64], partners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each of the positions `where` the lowest one that it is connected with through partners in `where`."""
    roots = {int(position): int(position) for position in where}

    def root(position: int) -> int:
        while roots[position] != position:
            roots[position] = roots[roots[position]]
            position = roots[position]
        return position

    for position in roots:
        partner = int(partners[position])
        if partner in roots:
            low, high = sorted((root(position), root(partner)))
            roots[high] = low
    return np.array([root(int(position)) for position in where], dtype=np.int64)
