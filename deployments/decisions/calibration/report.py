"""What a calibration says of a gallery, and what is kept of it once it is applied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from deployments.decisions.calibration.policy import Choice, Policy, choose
from deployments.decisions.calibration.rates import Members, Rate, Strangers
from deployments.decisions.errors import CalibrationOutdated, CalibrationUnfinished
from store.types import AppliedCalibration, Calibration, CalibrationScores

CURVE_STEP = 0.02
TABLE_STEP = 0.01  # of the scores that are kept with a collection, at most 101
THRESHOLDS = (0.3, 0.8)  # of a report's table; a gallery of ArcFace or SFace decides in between


@dataclass(frozen=True, slots=True)
class Row:
    """The error rates at one threshold: of strangers for each size of a report; of members, None without any."""

    threshold: float
    strangers: tuple[Rate, ...]
    members: Rate | None


@dataclass(frozen=True, slots=True)
class Report:
    """The error rates of a gallery by threshold, for galleries of `sizes` persons; the first is the present one."""

    sizes: tuple[int, ...]
    strangers_sampled: int
    members_sampled: int
    rows: tuple[Row, ...]


def report(calibration: Calibration, scores: CalibrationScores, sizes: Sequence[int], threshold: float) -> Report:
    """Return the rates at present and for galleries of `sizes` persons, with a row for `threshold` itself.

    A gallery smaller than the present one is told the present rate, which is an upper bound for it.
    Raises CalibrationUnfinished.
    """
    strangers, members = _rates(calibration, scores)
    low, high = THRESHOLDS
    grid = {round(low + step * CURVE_STEP, 2) for step in range(round((high - low) / CURVE_STEP) + 1)}
    every_size = (strangers.persons, *sizes)
    return Report(
        every_size,
        len(strangers.scores),
        len(members.scores),
        tuple(
            Row(
                at,
                tuple(strangers.at(at).grown(size / max(1, strangers.persons)) for size in every_size),
                members.at(at),
            )
            for at in sorted(grid | {threshold})
        ),
    )


def choice(calibration: Calibration, scores: CalibrationScores, policy: Policy) -> Choice:
    """Return the threshold for `policy`. Raises CalibrationUnfinished, CalibrationOutdated and ValueError."""
    strangers, members = _rates(calibration, scores)
    if not calibration.is_current:
        raise CalibrationOutdated(calibration.id)
    return choose(strangers, members, policy)


def applied(calibration: Calibration, scores: CalibrationScores, former_threshold: float) -> AppliedCalibration:
    """Return what is kept with the collection, so that every answer can tell what a score means."""
    strangers, _ = _rates(calibration, scores)
    steps = np.arange(0.0, 1.0 + TABLE_STEP / 2, TABLE_STEP)
    rates = [strangers.at(float(step)).value for step in steps]
    falling = np.minimum.accumulate(rates)  # a fitted tail may begin a little above what was counted below it
    return AppliedCalibration(
        calibration_id=calibration.id,
        applied_at=datetime.now(UTC),
        former_threshold=former_threshold,
        persons=strangers.persons,
        persons_sampled=len(strangers.scores),
        scores=tuple(round(float(step), 4) for step in steps),
        stranger_rates=tuple(float(rate) for rate in falling),
    )


def _rates(calibration: Calibration, scores: CalibrationScores) -> tuple[Strangers, Members]:
    if calibration.finished_at is None:
        raise CalibrationUnfinished(calibration.id, calibration.faces_compared, calibration.faces)
    return Strangers(scores.strangers, scores.partners, calibration.persons), Members(scores.members)
