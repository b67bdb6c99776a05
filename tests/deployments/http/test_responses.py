"""How values are written in bodies."""

from datetime import UTC, datetime

import numpy as np
import pytest

from deployments.http.responses.base import timestamp, unit
from deployments.http.responses.faces import BoundingBox
from encoders.types import Box


@pytest.mark.parametrize(
    ("box", "pixels"),
    [
        (Box(10.4, 20.6, 30.5, 40.4), {"x": 10, "y": 21, "width": 20, "height": 19}),
        (Box(-5, -5, 700, 500), {"x": 0, "y": 0, "width": 640, "height": 480}),
        (Box(700, 500, 800, 600), {"x": 640, "y": 480, "width": 0, "height": 0}),
        (Box(-50, -50, -10, -10), {"x": 0, "y": 0, "width": 0, "height": 0}),
        (Box(30, 40, 10, 20), {"x": 30, "y": 40, "width": 0, "height": 0}),
    ],
)
def test_a_box_is_cut_to_the_image(box: Box, pixels: dict[str, int]) -> None:
    found = BoundingBox.of(box, 640, 480)

    assert found.pixels.model_dump() == pixels
    assert found.normalized.left == pytest.approx(pixels["x"] / 640)
    assert found.normalized.height == pytest.approx(pixels["height"] / 480)


def test_a_time_is_in_utc_with_milliseconds() -> None:
    assert timestamp(datetime(2026, 3, 1, 12, 30, 0, 123_999, UTC)) == "2026-03-01T12:30:00.123Z"


@pytest.mark.parametrize(("value", "shown"), [(-0.1, 0), (1.1, 1), (0.123456789, 0.123457), (np.float32(0.5), 0.5)])
def test_a_score_is_held_to_its_range(value: float, shown: float) -> None:
    assert unit(value) == shown
