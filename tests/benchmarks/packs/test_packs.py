"""The benchmark packs are of the architectures they stand for, and whole requests run on them."""

from pathlib import Path

import numpy as np
import pytest

from encoders.loading import load_encoder
from encoders.types import AnalyzeOptions
from tests.benchmarks.packs.arcface import iresnet50, mobilefacenet
from tests.benchmarks.packs.networks import flops, parameters
from tests.benchmarks.packs.packs import draw_group, draw_picture, jpeg, make_pack
from tests.benchmarks.packs.scrfd import scrfd_10g, scrfd_500m

DETECTOR_INPUT = (1, 3, 640, 640)
RECOGNISER_INPUT = (1, 3, 112, 112)


def test_the_large_detector_costs_what_scrfd_10gf_costs() -> None:
    model = scrfd_10g()

    # Published: 10 G multiply-adds at 640x480, 4.23 M parameters.
    assert flops(model, DETECTOR_INPUT) == pytest.approx(26.7e9, rel=0.005)
    assert parameters(model) == pytest.approx(4.23e6, rel=0.01)


def test_the_small_detector_costs_what_scrfd_500mf_costs() -> None:
    model = scrfd_500m()

    # InsightFace's det_500m.onnx, counted the same way.
    assert flops(model, DETECTOR_INPUT) == pytest.approx(1.467e9, rel=0.005)
    assert parameters(model) == pytest.approx(0.626e6, rel=0.01)


def test_the_large_recogniser_costs_what_iresnet_50_costs() -> None:
    model = iresnet50()

    # Published: 6.3 G multiply-adds, 43.6 M parameters.
    assert flops(model, RECOGNISER_INPUT) == pytest.approx(12.6e9, rel=0.005)
    assert parameters(model) == pytest.approx(43.6e6, rel=0.01)


def test_the_small_recogniser_costs_what_mobilefacenet_costs() -> None:
    model = mobilefacenet()

    # Published: 0.45 G multiply-adds.
    assert flops(model, RECOGNISER_INPUT) == pytest.approx(0.9e9, rel=0.04)


@pytest.mark.parametrize("name", ["bench_sc", pytest.param("bench_l", marks=pytest.mark.pack)])
@pytest.mark.parametrize("input_px", [640, 320])
def test_each_green_spot_is_a_face_with_an_embedding_of_its_own(models_dir: Path, name: str, input_px: int) -> None:
    make_pack(models_dir, name)
    encoder = load_encoder(name, models_dir, threads=2, detection_input=(input_px, input_px))
    centres = ((328 / 1280, 392 / 960), (968 / 1280, 584 / 960))

    analysis = encoder.analyze(jpeg(draw_picture(7, faces=centres)), AnalyzeOptions())

    assert analysis.faces_found == 2
    found = sorted((face.box.left + face.box.right) / 2 / analysis.width for face in analysis.faces)
    assert found == pytest.approx([0.25, 0.75], abs=0.03)
    one, other = (face.embedding for face in analysis.faces)
    assert one is not None and other is not None
    assert np.isfinite(one).all() and np.isfinite(other).all()
    assert float(one @ other) < 0.999


def test_a_group_picture_has_as_many_faces_as_were_asked_for(models_dir: Path) -> None:
    make_pack(models_dir, "bench_sc")
    encoder = load_encoder("bench_sc", models_dir)

    counts = [encoder.analyze(jpeg(draw_group(9, faces)), AnalyzeOptions(embed=False)).faces_found for faces in (1, 20)]

    assert counts == [1, 20]


def test_a_picture_without_green_has_no_face(models_dir: Path) -> None:
    make_pack(models_dir, "bench_sc")
    encoder = load_encoder("bench_sc", models_dir)

    analysis = encoder.analyze(jpeg(draw_picture(8, faces=())), AnalyzeOptions())

    assert analysis.faces_found == 0
