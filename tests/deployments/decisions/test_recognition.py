"""Decisions and presentation as functions of values."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from configs.tuning import EmbedderTuning, IngressTuning
from deployments.decisions.recognition import (
    UNIT_NORM_TOLERANCE,
    all_faces_options,
    identify,
    match_threshold,
    review,
    similarity,
    single_face_options,
    trusted_embedding,
)
from deployments.inference.worker import with_defaults
from encoders.types import Analysis, AnalyzeOptions, Box, Face, Quality
from store.types import Candidate, DetectionProfile, Person
from tests.deployments.colours import THRESHOLD, ColourEncoder, embedding

MOMENT = datetime(2026, 3, 1, 12, 30, 0, 123_999, tzinfo=UTC)
TUNING = IngressTuning(uncertain_band=0.05, minimum_margin=0.03)
DETECTION = DetectionProfile(((320, 320),), 0.6, 0.3, "center_largest")


def candidate(similarity: float, id: str = "ada") -> Candidate:
    return Candidate(Person(id, None, None, {}, 1, MOMENT, MOMENT), "face", similarity)


@pytest.mark.parametrize(
    ("similarities", "decision"),
    [
        ([], "no_match"),
        ([0.8], "match"),
        ([0.7999], "uncertain"),
        ([0.75], "uncertain"),
        ([0.7499], "no_match"),
        ([0.9, 0.869], "match"),
        ([0.9, 0.871], "uncertain"),
        ([0.9, 0.9], "uncertain"),
        ([0.78, 0.78], "uncertain"),
        ([0.5, 0.5], "no_match"),
        ([-1.0], "no_match"),
    ],
)
def test_the_decision_is_at_the_threshold_and_the_margin(similarities: list[float], decision: str) -> None:
    identity = identify([candidate(number) for number in similarities], 0.8, TUNING)

    assert identity.decision == decision


def test_the_margin_is_between_the_best_two() -> None:
    identity = identify([candidate(0.9), candidate(0.6, "bob"), candidate(0.5, "eve")], 0.8, TUNING)

    assert identity.best is not None
    assert identity.runner_up is not None
    assert (identity.best.person.id, identity.runner_up.person.id) == ("ada", "bob")
    assert identity.margin == pytest.approx(0.3)


def test_a_similarity_stays_between_minus_one_and_one() -> None:
    vector = np.full(512, 1 / np.sqrt(512), np.float32) * np.float32(1.0001)

    assert similarity(vector, vector) == 1
    assert similarity(vector, -vector) == -1
    assert similarity(embedding(0), embedding(90)) == pytest.approx(0, abs=1e-6)


def seen(*, faces_found: int = 1, score: float = 0.9, box: Box | None = None, **quality: float) -> Analysis:
    good = replace(Quality(0.9, 0.9, 0.9, 0.9, 0, 0, 0), **quality)
    face = Face(box or Box(10, 10, 110, 110), np.zeros((5, 2), np.float32), score, good)
    return Analysis(640, 480, (face,) if faces_found else (), faces_found, 0, 0, 0)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({}, None),
        ({"faces_found": 0}, "face_not_found"),
        ({"faces_found": 2}, "multiple_faces"),
        ({"box": Box(0, 0, 200, 39)}, "face_too_small"),
        ({"box": Box(0, 0, 40, 40)}, None),
        ({"score": 0.49}, "low_detection_score"),
        ({"yaw": -46}, "extreme_pose"),
        ({"pitch": 46}, "extreme_pose"),
        ({"roll": -46}, "extreme_pose"),
        ({"yaw": 45}, None),
        ({"score": 0.5}, None),
    ],
)
def test_a_review_names_the_first_thing_that_is_wrong(facts: dict[str, Any], reason: str | None) -> None:
    assert review(seen(**facts), "standard", IngressTuning()) == reason


def test_a_review_can_ask_for_quality() -> None:
    analysis = seen(sharpness=0.1)
    poor = replace(analysis, faces=(replace(analysis.faces[0], quality=Quality(0.2, 0, 0, 0, 0, 0, 0)),))

    assert review(poor, "standard", IngressTuning()) == "low_quality"
    assert review(poor, "standard", IngressTuning(min_quality=0.2)) is None
    assert review(poor, "off", IngressTuning()) is None


def test_an_embedding_is_trusted_within_a_tolerance_and_made_a_unit_vector() -> None:
    near = embedding(30) * np.float32(1 + UNIT_NORM_TOLERANCE / 2)
    far = embedding(30) * np.float32(1 + UNIT_NORM_TOLERANCE * 2)

    trusted = trusted_embedding(near.tolist())

    assert trusted is not None
    assert trusted.dtype == np.float32
    assert np.linalg.norm(trusted) == pytest.approx(1, abs=1e-6)
    assert trusted_embedding(far.tolist()) is None


def test_the_options_are_the_collections_or_left_open() -> None:
    assert single_face_options(None) == AnalyzeOptions(selection="largest")
    assert single_face_options(DETECTION, embed=False, crop=True) == AnalyzeOptions(
        "center_largest", False, True, 100, 0.6, 0.3, ((320, 320),)
    )
    assert all_faces_options(None, max_faces=7, embed=False) == AnalyzeOptions(embed=False, max_faces=7)
    assert all_faces_options(DETECTION, max_faces=7, embed=True) == AnalyzeOptions(
        "all", True, False, 7, 0.6, 0.3, ((320, 320),)
    )


def test_the_deployment_fills_in_what_is_left_open_and_holds_its_limit() -> None:
    tuning = EmbedderTuning(detection_threshold=0.7, nms_threshold=0.2, max_faces=10)

    open_options = with_defaults(AnalyzeOptions(), tuning)
    set_options = with_defaults(AnalyzeOptions(max_faces=3, detection_threshold=0.0, nms_threshold=0.0), tuning)

    assert (open_options.detection_threshold, open_options.nms_threshold, open_options.max_faces) == (0.7, 0.2, 10)
    assert (set_options.detection_threshold, set_options.nms_threshold, set_options.max_faces) == (0.0, 0.0, 3)


def test_the_deployments_threshold_goes_before_the_models() -> None:
    model = ColourEncoder().model

    assert match_threshold(model, IngressTuning()) == THRESHOLD
    assert match_threshold(model, IngressTuning(match_threshold=0.0)) == 0.0
