"""The threshold that an error rate asks for."""

from dataclasses import dataclass

import numpy as np

from deployments.decisions.calibration.rates import Members, Rate, Strangers

STEP = 0.001  # of thresholds; finer than scores of one person repeat
LOWEST, HIGHEST = 0.0, 1.0


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `max_fpir` of strangers' searches, in a gallery of `persons`, may find somebody.

    `extrapolate`: whether a threshold may rest on the fitted tail where persons are too few to count so rare errors.
    """

    max_fpir: float
    persons: int
    extrapolate: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The lowest threshold whose upper bound holds a policy, and what it costs.

    `threshold` is None where `enough` is false and nothing may be extrapolated; then `needs_persons` says how many
    sampled persons would do.
    """

    threshold: float | None
    strangers: Rate | None
    members: Rate | None
    enough: bool
    needs_persons: int


def choose(strangers: Strangers, members: Members, policy: Policy) -> Choice:
    """Return the threshold for `policy`. Raises ValueError for a rate that is not above 0 and below 1."""
    if not 0.0 < policy.max_fpir < 1.0:
        raise ValueError(f"expected a rate above 0 and below 1, found {policy.max_fpir}")
    factor = max(1.0, policy.persons / max(1, strangers.persons))
    needs = strangers.needed_for(float(-np.expm1(np.log1p(-policy.max_fpir) / factor)))
    counted = strangers.counted(HIGHEST + STEP).grown(factor).high <= policy.max_fpir
    if not counted and not policy.extrapolate:
        return Choice(None, None, None, enough=False, needs_persons=needs)
    rate = strangers.counted if counted else strangers.at
    threshold = None
    for step in range(round((HIGHEST - LOWEST) / STEP), -1, -1):
        tried = round(LOWEST + step * STEP, 3)
        if rate(tried).grown(factor).high > policy.max_fpir:
            break
        threshold = tried
    if threshold is None:
        return Choice(None, None, None, enough=False, needs_persons=needs)
    told = rate(threshold).grown(factor)
    return Choice(threshold, told, members.at(threshold), enough=counted, needs_persons=needs)
