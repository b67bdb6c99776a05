import json
import shutil
from pathlib import Path

import onnx
import pytest

from encoders.errors import PackCorrupt, PackIncomplete, PackNotFound
from encoders.packs.catalog import DEFAULT_PACK, KNOWN_PACKS
from encoders.packs.directory import find_pack, list_packs, verify_pack
from encoders.packs.manifest import MANIFEST_FILE
from encoders.packs.onnx_models import file_sha256, read_model


@pytest.fixture
def models_dir(tmp_path: Path, drawn_models_dir: Path) -> Path:
    """Return a models directory of this test's own, with the pack `drawn` in it."""
    shutil.copytree(drawn_models_dir / "drawn", tmp_path / "drawn")
    return tmp_path


def write_manifest(models_dir: Path, **fields: object) -> None:
    (models_dir / "drawn" / MANIFEST_FILE).write_text(json.dumps(fields))


def test_a_directory_with_a_detector_and_a_recogniser_is_a_pack(models_dir: Path) -> None:
    pack = find_pack(models_dir, "drawn")

    assert (pack.detector.name, pack.recogniser.name) == ("det.onnx", "rec.onnx")
    assert pack.default_threshold == 0.40
    assert not pack.commercial_use


def test_other_models_in_a_pack_are_left_alone(models_dir: Path) -> None:
    landmarks = onnx.load(str(models_dir / "drawn" / "rec.onnx"))
    landmarks.graph.input[0].type.tensor_type.shape.dim[3].dim_value = 192
    landmarks.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 192
    onnx.save(landmarks, str(models_dir / "drawn" / "2d106det.onnx"))

    assert find_pack(models_dir, "drawn").recogniser.name == "rec.onnx"


def test_a_pack_may_lie_one_folder_deeper(models_dir: Path) -> None:
    (models_dir / "nested").mkdir()
    (models_dir / "drawn").rename(models_dir / "nested" / "nested")

    assert find_pack(models_dir, "nested").detector.parent.name == "nested"


@pytest.mark.parametrize("name", ["absent", "../drawn", "/drawn", "", ".", "a/b"])
def test_a_pack_that_is_not_there_is_not_found(models_dir: Path, name: str) -> None:
    with pytest.raises(PackNotFound) as failure:
        find_pack(models_dir, name)

    assert str(models_dir) not in str(failure.value)


def test_the_error_for_an_absent_pack_says_how_to_get_it(models_dir: Path) -> None:
    with pytest.raises(PackNotFound, match=r"faceserve pack pull buffalo_l.*faceserve pack import FILE"):
        find_pack(models_dir, "buffalo_l")


def test_a_known_pack_that_lacks_a_file_is_incomplete(models_dir: Path) -> None:
    (models_dir / "buffalo_l").mkdir()
    shutil.copyfile(models_dir / "drawn" / "det.onnx", models_dir / "buffalo_l" / "det_10g.onnx")

    with pytest.raises(PackIncomplete, match=r"w600k_r50\.onnx"):
        find_pack(models_dir, "buffalo_l")


@pytest.mark.parametrize(("missing", "task"), [("det.onnx", "detector"), ("rec.onnx", "recogniser")])
def test_a_pack_of_ones_own_that_lacks_a_model_is_incomplete(models_dir: Path, missing: str, task: str) -> None:
    (models_dir / "drawn" / missing).unlink()

    with pytest.raises(PackIncomplete, match=task):
        find_pack(models_dir, "drawn")


def test_an_empty_directory_is_an_incomplete_pack(models_dir: Path) -> None:
    (models_dir / "empty").mkdir()

    with pytest.raises(PackIncomplete):
        find_pack(models_dir, "empty")


def test_two_recognisers_need_a_manifest_that_chooses(models_dir: Path) -> None:
    shutil.copyfile(models_dir / "drawn" / "rec.onnx", models_dir / "drawn" / "rec_int8.onnx")

    with pytest.raises(PackCorrupt, match=r"rec\.onnx, rec_int8\.onnx"):
        find_pack(models_dir, "drawn")

    write_manifest(models_dir, recogniser="rec_int8.onnx")
    assert find_pack(models_dir, "drawn").recogniser.name == "rec_int8.onnx"


@pytest.mark.parametrize("file", ["det.onnx", "rec.onnx"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_file_that_was_cut_off_makes_a_corrupt_pack(models_dir: Path, file: str, kept: float) -> None:
    path = models_dir / "drawn" / file
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])

    with pytest.raises(PackCorrupt, match=file) as failure:
        find_pack(models_dir, "drawn")

    assert str(models_dir) not in str(failure.value)


def test_a_known_packs_files_must_have_the_known_digests(models_dir: Path) -> None:
    (models_dir / "drawn").rename(models_dir / "buffalo_sc")
    (models_dir / "buffalo_sc" / "det.onnx").rename(models_dir / "buffalo_sc" / "det_500m.onnx")
    (models_dir / "buffalo_sc" / "rec.onnx").rename(models_dir / "buffalo_sc" / "w600k_mbf.onnx")

    with pytest.raises(PackCorrupt, match=r"det_500m\.onnx has sha256 \w+; expected 5e4447f5"):
        verify_pack(find_pack(models_dir, "buffalo_sc"))


def test_verifying_gives_both_components_with_their_digests(models_dir: Path) -> None:
    detector, recogniser = verify_pack(find_pack(models_dir, "drawn"))

    assert (detector.task, detector.file, detector.input_size) == ("detection", "det.onnx", None)
    assert (recogniser.task, recogniser.input_size, recogniser.embedding_dimension) == ("recognition", (112, 112), 512)
    assert recogniser.sha256 == file_sha256(models_dir / "drawn" / "rec.onnx")


def test_a_digest_in_the_manifest_is_held_to(models_dir: Path) -> None:
    write_manifest(models_dir, detector="det.onnx", recogniser="rec.onnx", recogniser_sha256="0" * 64)

    with pytest.raises(PackCorrupt, match="expected 0000"):
        verify_pack(find_pack(models_dir, "drawn"))


def test_a_detector_without_landmarks_cannot_be_used(models_dir: Path) -> None:
    model = onnx.load(str(models_dir / "drawn" / "det.onnx"))
    del model.graph.output[6:]
    onnx.save(model, str(models_dir / "drawn" / "det.onnx"))

    with pytest.raises(PackCorrupt, match="landmarks"):
        verify_pack(find_pack(models_dir, "drawn"))


def test_a_manifest_states_licence_and_threshold(models_dir: Path) -> None:
    write_manifest(models_dir, version="3", licence="Apache-2.0", commercial_use=True, default_threshold=0.33)

    pack = find_pack(models_dir, "drawn")

    assert (pack.version, pack.licence, pack.commercial_use, pack.default_threshold) == ("3", "Apache-2.0", True, 0.33)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"license": "MIT"}',
        '{"default_threshold": "high"}',
        '{"default_threshold": 7}',
        '{"commercial_use": "no"}',
        '{"recogniser": "../drawn/rec.onnx"}',
        '{"version": 2}',
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(models_dir: Path, text: str) -> None:
    (models_dir / "drawn" / MANIFEST_FILE).write_text(text)

    with pytest.raises(PackCorrupt, match=MANIFEST_FILE):
        find_pack(models_dir, "drawn")


def test_the_list_has_known_packs_first_then_those_found(models_dir: Path) -> None:
    (models_dir / "buffalo_s").mkdir()
    (models_dir / "unrelated").mkdir()

    listed = {status.name: status for status in list_packs(models_dir)}

    assert list(listed) == [*KNOWN_PACKS, "drawn"]
    assert listed["drawn"].pack is not None
    assert isinstance(listed["buffalo_s"].problem, PackIncomplete)
    assert (listed["buffalo_l"].pack, listed["buffalo_l"].problem) == (None, None)


def test_a_models_directory_that_is_not_there_lists_the_known_packs(tmp_path: Path) -> None:
    assert [status.name for status in list_packs(tmp_path / "absent")] == list(KNOWN_PACKS)


def test_every_known_pack_is_fully_described() -> None:
    assert DEFAULT_PACK in KNOWN_PACKS
    for name, known in KNOWN_PACKS.items():
        assert known.name == name
        assert all(len(digest) == 64 for digest in (known.detector_sha256, known.recogniser_sha256))
        assert (known.archive_sha256 is None) == (known.archive_bytes is None) == known.commercial_use
        assert ("non-commercial" in known.licence) != known.commercial_use


def test_the_text_of_no_file_is_taken_for_a_model(tmp_path: Path) -> None:
    (tmp_path / "readme.onnx").write_text("These are not the models you are looking for. " * 50)

    assert read_model(tmp_path / "readme.onnx") is None


@pytest.mark.pack
def test_the_real_pack_is_recognised_by_its_graphs(real_models_dir: Path) -> None:
    detector, recogniser = verify_pack(find_pack(real_models_dir, "mini"))

    assert (detector.file, recogniser.file) == ("det_500m.onnx", "rec.onnx")
    # The same detector as buffalo_s, whose digest is known.
    assert detector.sha256 == KNOWN_PACKS["buffalo_s"].detector_sha256
