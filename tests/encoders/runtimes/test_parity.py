"""Real faces get the same answers on OpenVINO as on ONNX Runtime, in float32 and in bfloat16."""

from pathlib import Path

import numpy as np
import pytest

from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack
from encoders.runtimes import openvino_network
from encoders.types import AnalyzeOptions
from tests.deployments.pictures import astronaut, encoded, group_photo


# Of 54 faces, those of known people among them: in float32 cosines of 0.99999 in the mean and 0.9997 at least, in
# bfloat16 0.998 and 0.988, with landmarks off by 0.4% of the face's width at most. Of 68 others in bfloat16: 0.993 and
# 0.925.
@pytest.mark.parametrize(("in_bfloat16", "least"), [(False, 0.995), (True, 0.92)])
def test_openvino_finds_and_embeds_what_onnx_runtime_does(
    opencv_encoder: InsightFacePackEncoder,
    opencv_models_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    in_bfloat16: bool,
    least: float,
) -> None:
    monkeypatch.setattr(openvino_network, "multiplies_bfloat16_in_tiles", lambda: in_bfloat16)
    on_openvino = InsightFacePackEncoder(find_pack(opencv_models_dir, "opencv"), provider="openvino")

    for image in (group_photo(), encoded(astronaut())):
        expected, found = (
            sorted(encoder.analyze(image, AnalyzeOptions()).faces, key=lambda face: face.box.left)
            for encoder in (opencv_encoder, on_openvino)
        )
        assert len(found) == len(expected) > 0
        for ours, theirs in zip(found, expected, strict=True):
            assert float(ours.embedding @ theirs.embedding) > least
            np.testing.assert_allclose(ours.landmarks, theirs.landmarks, atol=0.05 * theirs.box.width)
