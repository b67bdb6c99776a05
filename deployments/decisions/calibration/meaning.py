"""What a score means in one collection: how often a stranger scores as high."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Self

from deployments.decisions.calibration.rates import grown
from deployments.decisions.errors import NotCalibrated
from store.types import AppliedCalibration, Collection

LOWEST_RATE = 1e-9  # told as such: no gallery can show less than one in a billion


@dataclass(frozen=True, slots=True)
class ScoreMeaning:
    """The applied calibration of a collection, if there is one, and how many `persons` it has now."""

    calibration: AppliedCalibration | None
    persons: int

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Return what a score means in `collection`."""
        return cls(collection.calibration, collection.person_count)

    def stranger_rate(self, similarity: float | None) -> float | None:
        """Return the share of strangers whose best score is at least `similarity`, a cosine; None if nobody knows.

        Between two scores of the table the rate falls exponentially. It grows with the collection.
        """
        if self.calibration is None or similarity is None:
            return None
        scores, rates = self.calibration.scores, self.calibration.stranger_rates
        after = bisect_right(scores, similarity)
        if after in (0, len(scores)):
            return self._now(rates[0 if after == 0 else -1])
        part = (similarity - scores[after - 1]) / (scores[after] - scores[after - 1])
        low, high = (math.log(max(rate, LOWEST_RATE)) for rate in (rates[after - 1], rates[after]))
        return self._now(math.exp(low + part * (high - low)))

    def threshold(self, wanted: float | None, max_stranger_rate: float | None) -> float | None:
        """Return the threshold to decide at: `wanted`, or the lowest score that at most so many strangers reach.

        None for the collection's own. Raises NotCalibrated where a rate is asked for without a calibration.
        """
        if max_stranger_rate is None:
            return wanted
        if self.calibration is None:
            raise NotCalibrated()
        table = zip(self.calibration.scores, self.calibration.stranger_rates, strict=True)
        return next((score for score, rate in table if self._now(rate) <= max_stranger_rate), 1.0)

    def _now(self, rate: float) -> float:
        assert self.calibration is not None
        return grown(max(rate, LOWEST_RATE), self.persons / max(1, self.calibration.persons))
