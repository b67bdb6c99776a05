"""The longest time without a success, in measurements of faults."""

import itertools
from collections.abc import Iterable


def longest_gap_s(begun: float, successes: Iterable[float], ended: float) -> float:
    """Return the longest time between two of `successes`, or one of them and the beginning or the end, in seconds."""
    times = [begun, *sorted(successes), ended]
    return max(later - sooner for sooner, later in itertools.pairwise(times))
