"""Calibrations."""

from typing import Annotated, Literal

from pydantic import Field

from deployments.http.requests.fields import Body, Share


class CalibrationStart(Body):
    """A calibration on so many random persons."""

    persons: int = Field(default=5000, ge=1, le=5000)


class CalibrationStep(Body):
    """For how long a calibration goes on in one request: short beside every time limit on its way."""

    seconds: float = Field(default=2.0, ge=0.1, le=5.0)


class CalibrationPolicy(Body):
    """At most `max_fpir` of the searches of strangers may find somebody.

    `at`: in a gallery as large as now, as large as the collection's capacity in persons with the faces that they have
    on average, or of so many persons. `extrapolate`: whether the threshold may rest on a fitted tail. `dry_run`: tell,
    and change nothing.
    """

    max_fpir: Share
    at: Literal["present", "capacity"] | Annotated[int, Field(ge=1, le=1_000_000_000)] = "capacity"
    extrapolate: bool = False
    dry_run: bool = False
