"""Calibrations: how often a stranger is taken for a member, and a member missed."""

from datetime import datetime

from faceserve_client.models.base import Answer, Shape
from faceserve_client.models.collections import Collection


class ErrorRate(Shape):
    """A share of searches with its bounds at 95%. `extrapolated`: by a law fitted to the highest scores."""

    value: float
    low: float
    high: float
    extrapolated: bool


class Calibration(Shape):
    """A comparison of sampled persons with everybody else, and how far it has come."""

    id: str
    persons: int
    persons_sampled: int
    faces_compared: int
    faces: int
    is_current: bool
    started_at: datetime
    finished_at: datetime | None


class ThresholdRates(Shape):
    """What happens at a threshold: `fpir` of strangers for each of the report's sizes, `fnir` of members."""

    threshold: float
    fpir: list[ErrorRate]
    fnir: ErrorRate | None


class CalibrationResponse(Answer):
    calibration: Calibration


class CalibrationListResponse(Answer):
    """`applied`: the one whose rates every answer tells."""

    calibrations: list[Calibration]
    applied: str | None


class CalibrationReportResponse(Answer):
    """`sizes`: persons of the galleries that `fpir` is told for, the present one first."""

    calibration: Calibration
    sizes: list[int]
    persons_sampled: int
    members_sampled: int
    default_threshold: float
    rows: list[ThresholdRates]


class CalibrationChoiceResponse(Answer):
    """The lowest threshold whose upper bound holds a policy."""

    threshold: float
    former_threshold: float
    persons: int
    fpir: ErrorRate
    fnir: ErrorRate | None
    is_counted: bool
    needs_persons: int
    is_applied: bool
    collection: Collection
