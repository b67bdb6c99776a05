"""Calibrations: how often a stranger is taken for a member, and a member missed."""

from collections.abc import Sequence
from typing import Self

from deployments.decisions.calibration import rates
from deployments.decisions.calibration.policy import Choice
from deployments.decisions.calibration.report import Report, Row
from deployments.http.responses.base import Answer, Rate, Score, Shape, Timestamp
from deployments.http.responses.collections import Collection
from store import types as store


class ErrorRate(Shape):
    """A share of searches with its bounds at 95%. `extrapolated`: by a law fitted to the highest scores."""

    value: Rate
    low: Rate
    high: Rate
    extrapolated: bool

    @classmethod
    def of(cls, rate: rates.Rate | None) -> Self | None:
        """Return a rate, None for None."""
        return None if rate is None else cls.model_validate(rate)


class Calibration(Shape):
    """A comparison of sampled persons with everybody else, and how far it has come.

    `is_current`: whether the collection still has the embedding contract that was calibrated.
    """

    id: str
    persons: int
    persons_sampled: int
    faces_compared: int
    faces: int
    is_current: bool
    started_at: Timestamp
    finished_at: Timestamp | None

    @classmethod
    def of(cls, calibration: store.Calibration) -> Self:
        """Return a calibration of the store."""
        return cls.model_validate(calibration)


class ThresholdRates(Shape):
    """What happens at a threshold: `fpir` for each of the report's sizes, `fnir` of members.

    `fpir`: the share of strangers for whom somebody is found. `fnir`: the share of members who are not found.
    """

    threshold: Score
    fpir: list[ErrorRate]
    fnir: ErrorRate | None

    @classmethod
    def of(cls, row: Row) -> Self:
        """Return the rates at one threshold."""
        fpir = [ErrorRate.model_validate(rate) for rate in row.strangers]
        return cls(threshold=row.threshold, fpir=fpir, fnir=ErrorRate.of(row.members))


class CalibrationResponse(Answer):
    calibration: Calibration

    @classmethod
    def of(cls, calibration: store.Calibration) -> Self:
        """Return one calibration."""
        return cls(calibration=Calibration.of(calibration))


class CalibrationListResponse(Answer):
    """Newest first. `applied`: the one whose rates every answer tells."""

    calibrations: list[Calibration]
    applied: str | None

    @classmethod
    def of(cls, calibrations: Sequence[store.Calibration], collection: store.Collection) -> Self:
        """Return the calibrations that are kept."""
        applied = None if collection.calibration is None else collection.calibration.calibration_id
        return cls(calibrations=list(map(Calibration.of, calibrations)), applied=applied)


class CalibrationReportResponse(Answer):
    """`sizes`: persons of the galleries that `fpir` is told for, the present one first.

    `members_sampled`: persons with two faces or more. Photos of one occasion make `fnir` look better than it is.
    """

    calibration: Calibration
    sizes: list[int]
    persons_sampled: int
    members_sampled: int
    default_threshold: Score
    rows: list[ThresholdRates]

    @classmethod
    def of(cls, calibration: store.Calibration, report: Report, threshold: float) -> Self:
        """Return what a calibration says."""
        return cls(
            calibration=Calibration.of(calibration),
            sizes=list(report.sizes),
            persons_sampled=report.strangers_sampled,
            members_sampled=report.members_sampled,
            default_threshold=threshold,
            rows=list(map(ThresholdRates.of, report.rows)),
        )


class CalibrationChoiceResponse(Answer):
    """The lowest threshold whose upper bound holds the policy. `persons`: the size of gallery that it holds for.

    `is_counted`: false where the threshold rests on the fitted tail; `needs_persons` would be enough to count.
    """

    threshold: Score
    former_threshold: Score
    persons: int
    fpir: ErrorRate
    fnir: ErrorRate | None
    is_counted: bool
    needs_persons: int
    is_applied: bool
    collection: Collection

    @classmethod
    def of(cls, choice: Choice, persons: int, former: float, collection: store.Collection, *, is_applied: bool) -> Self:
        """Return a choice that has a threshold."""
        assert choice.threshold is not None
        assert choice.strangers is not None
        return cls(
            threshold=choice.threshold,
            former_threshold=former,
            persons=persons,
            fpir=ErrorRate.model_validate(choice.strangers),
            fnir=ErrorRate.of(choice.members),
            is_counted=choice.enough,
            needs_persons=choice.needs_persons,
            is_applied=is_applied,
            collection=Collection.of(collection),
        )
