"""How often a score is passed that hardly any of the sampled strangers passed: an extrapolation, and marked as one.

Above a high score the excesses follow a generalised Pareto law (Pickands 1975), fitted by probability-weighted moments
(Hosking and Wallis 1987), which need no search for a maximum and hold for small samples. For 300 strangers it is good
within a factor of two, which the bootstrap interval shows.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Scores = npt.NDArray[np.float64]

TAIL_SHARE = 0.2  # of the scores, the highest: fewer vary more, more are not of the tail
FEWEST_SCORES = 50  # 10 in the tail; below that the fit is arbitrary
RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Tail:
    """The upper end of a distribution of scores.

    `share` of all lies above `start`; `scale` and `shape` are the law's, where a shape below 0 ends at
    `start - scale / shape`.
    """

    start: float
    share: float
    scale: float
    shape: float

    def rate(self, score: float) -> float:
        """Return the share of scores at or above `score`, which is not below `start`."""
        excess = (score - self.start) / self.scale
        if abs(self.shape) < 1e-9:
            return self.share * math.exp(-excess)
        base = 1.0 + self.shape * excess
        if base <= 0.0:
            return 0.0
        return self.share * math.exp(-math.log(base) / self.shape)

    def score(self, rate: float) -> float:
        """Return the score that `rate` of all pass; `rate` is above 0 and at most `share`."""
        part = rate / self.share
        if abs(self.shape) < 1e-9:
            return self.start - self.scale * math.log(part)
        return self.start + self.scale / self.shape * (math.pow(part, -self.shape) - 1.0)


def fit(scores: Scores) -> Tail | None:
    """Return the tail of `scores`, float64 (n,); None if they are fewer than `FEWEST_SCORES` or all alike."""
    if len(scores) < FEWEST_SCORES:
        return None
    ordered = np.sort(scores)
    count = int(len(ordered) * TAIL_SHARE)
    start = float(ordered[-count - 1])
    excesses = ordered[-count:] - start
    mean = float(excesses.mean())
    weights = (count - np.arange(1, count + 1) + 0.35) / count  # plotting positions of Hosking and Wallis
    weighted = float((weights * excesses).mean())
    spread = mean - 2.0 * weighted
    if mean <= 0.0 or spread <= 0.0:
        return None
    return Tail(start, count / len(ordered), scale=2.0 * mean * weighted / spread, shape=2.0 - mean / spread)


def resampled(scores: Scores, count: int, seed: int = 0) -> tuple[Tail, ...]:
    """Return the tails of `RESAMPLES` samples of `count`, drawn with replacement; one seed, one result."""
    random = np.random.default_rng(seed)
    tails = (fit(random.choice(scores, count)) for _ in range(RESAMPLES))
    return tuple(tail for tail in tails if tail is not None)
