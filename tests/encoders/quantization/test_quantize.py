"""A quantised pack shares its parent's embedding contract, but only with the report of having measured up."""

import csv
import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import pytest

from encoders.errors import PackCorrupt, PackError
from encoders.pack_encoder import InsightFacePackEncoder
from encoders.packs.directory import find_pack, verify_pack
from encoders.packs.manifest import MANIFEST_FILE
from encoders.packs.quantization_report import REPORT_FILE, QuantizationReport
from encoders.quantization.quantize import QuantizationRefused, TooFewFaces, find_photos, quantize_pack
from tests.benchmarks.packs.packs import draw_picture, jpeg, make_pack


@dataclasses.dataclass(frozen=True)
class Quantised:
    models_dir: Path
    photos: list[Path]
    report: QuantizationReport
    stages: list[tuple[str, int, int]]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(13):
        (folder / f"{seed:02}.jpg").write_bytes(jpeg(draw_picture(seed, 640, 480)))
    (folder / "broken.jpg").write_bytes(b"no photo")
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory, pictures: list[Path]) -> Quantised:
    """The benchmark's small pack and its twin, `int8`, in one models directory; not to be changed."""
    models_dir = tmp_path_factory.mktemp("quantised")
    stages: list[tuple[str, int, int]] = []
    report = quantize_pack(
        make_pack(models_dir, "bench_sc"),
        pictures,
        models_dir,
        "int8",
        threads=2,
        progress=lambda stage, done, total: stages.append((stage, done, total)),
    )
    return Quantised(models_dir, pictures, report, stages)


@pytest.fixture
def twin_dir(quantised: Quantised, tmp_path: Path) -> Path:
    """A copy of the twin, to be damaged."""
    shutil.copytree(quantised.models_dir / "int8", tmp_path / "int8")
    return tmp_path / "int8"


def change(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_quantised_pack_shares_the_contract_of_its_parent(quantised: Quantised) -> None:
    parent, twin = (
        InsightFacePackEncoder(find_pack(quantised.models_dir, name)).model for name in ("bench_sc", "int8")
    )

    assert twin.contract.id == parent.contract.id
    assert twin.components[1].sha256 != parent.components[1].sha256
    assert (twin.licence, twin.commercial_use, twin.default_threshold) == (
        parent.licence,
        parent.commercial_use,
        parent.default_threshold,
    )


def test_the_report_measures_photos_that_did_not_calibrate(quantised: Quantised) -> None:
    report = quantised.report

    held_out = report.held_out_photos
    assert (report.calibration_photos + held_out, report.unreadable_photos) == (13, 1)
    assert (report.detection.matched, report.detection.missed, report.detection.extra) == (held_out, 0, 0)
    assert report.recogniser.mean > 0.99
    assert report.recogniser_cost.int8_bytes < 0.35 * report.recogniser_cost.fp32_bytes
    assert report.int8_pairs.count == held_out * report.calibration_photos + held_out * (held_out - 1) // 2
    assert {stage for stage, _, _ in quantised.stages} == {"photos", "detector", "recogniser", "comparison"}
    assert all(done <= total for _, done, total in quantised.stages)


def test_the_report_lies_beside_the_models(quantised: Quantised) -> None:
    stated = json.loads((quantised.models_dir / "int8" / REPORT_FILE).read_text())

    assert stated["failures"] == []
    assert stated["parent"] == "bench_sc"


@pytest.mark.parametrize("damage", ["absent", "failed", "another_parent", "no_report_at_all"])
def test_a_contract_without_a_report_of_these_models_is_not_believed(twin_dir: Path, damage: str) -> None:
    report = twin_dir / REPORT_FILE
    match damage:
        case "absent":
            report.unlink()
        case "failed":
            change(report, failures=["mean cosine"])
        case "another_parent":
            change(twin_dir / MANIFEST_FILE, contract_digest="0" * 64)
        case "no_report_at_all":
            report.write_text("[]")

    with pytest.raises(PackCorrupt):
        verify_pack(find_pack(twin_dir.parent, "int8"))


def test_a_model_put_in_place_of_the_quantised_one_does_not_take_the_contract(
    quantised: Quantised, twin_dir: Path
) -> None:
    manifest = json.loads((twin_dir / MANIFEST_FILE).read_text())
    shutil.copy(quantised.models_dir / "bench_sc" / "rec.onnx", twin_dir / manifest["recogniser"])
    del manifest["recogniser_sha256"]
    (twin_dir / MANIFEST_FILE).write_text(json.dumps(manifest))

    with pytest.raises(PackCorrupt, match="does not vouch"):
        verify_pack(find_pack(twin_dir.parent, "int8"))


def test_a_quantised_pack_is_not_quantised_again(quantised: Quantised) -> None:
    with pytest.raises(PackError, match="quantised already"):
        quantize_pack(find_pack(quantised.models_dir, "int8"), quantised.photos, quantised.models_dir, "int4")


def test_a_name_that_is_taken_or_known_is_refused_before_any_work(quantised: Quantised) -> None:
    pack = find_pack(quantised.models_dir, "bench_sc")

    for name in ("int8", "bench_sc", "buffalo_l"):
        with pytest.raises(PackError):
            quantize_pack(pack, quantised.photos, quantised.models_dir, name)


def test_too_few_photos_are_refused(quantised: Quantised) -> None:
    pack = find_pack(quantised.models_dir, "bench_sc")

    with pytest.raises(TooFewFaces, match="at least 8 photos"):
        quantize_pack(pack, quantised.photos[:9], quantised.models_dir, "few")

    assert not (quantised.models_dir / "few").exists()


def test_photos_without_faces_are_refused(quantised: Quantised, tmp_path: Path) -> None:
    for seed in range(15):
        (tmp_path / f"{seed}.jpg").write_bytes(jpeg(draw_picture(seed, 320, 240, faces=())))
    pack = find_pack(quantised.models_dir, "bench_sc")

    with pytest.raises(TooFewFaces, match="at least 8 faces"):
        quantize_pack(pack, sorted(tmp_path.iterdir()), quantised.models_dir, "faceless")

    assert not (quantised.models_dir / "faceless").exists()


def test_a_twin_that_strays_is_refused_with_its_report_and_not_kept(
    quantised: Quantised, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("encoders.packs.quantization_report.MIN_MEAN_COSINE_OF_RECOGNISER", 0.99999)
    pack = find_pack(quantised.models_dir, "bench_sc")

    with pytest.raises(QuantizationRefused, match="mean cosine of the recogniser") as refused:
        quantize_pack(pack, quantised.photos, quantised.models_dir, "astray", threads=2)

    assert refused.value.report.failures
    assert not (quantised.models_dir / "astray").exists()
    assert pickle.loads(pickle.dumps(refused.value)).report == refused.value.report


def test_the_folder_of_a_photo_names_its_person(tmp_path: Path) -> None:
    for file in ("ada/1.jpg", "ada/2.PNG", "3.jpg", "notes.txt"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()

    photos, people = find_photos(tmp_path)

    assert [path.name for path in photos] == ["3.jpg", "1.jpg", "2.PNG"]
    assert set(people.values()) == {"ada"}
    assert len(people) == 2


@pytest.mark.pack
def test_the_real_pack_measures_up_on_real_photos(real_models_dir: Path, photos: Path, tmp_path: Path) -> None:
    found, _ = find_photos(photos)
    people = {path: path.parent.name for path in found if path.parent.parent.name == "gallery"}
    with (photos / "probes" / "truth.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            if ";" not in row["people"] and row["people"] != "unknown":
                people[photos / "probes" / row["file"]] = row["people"]

    report = quantize_pack(find_pack(real_models_dir, "mini"), found, tmp_path, "mini_int8", people, threads=2)

    assert report.recogniser.mean > 0.99  # 0.9928 measured, least 0.9853
    assert report.whole_path.mean > 0.98  # 0.9844
    assert report.int8_pairs.flips == report.mixed_pairs.flips == 0
    assert report.verification is not None
    assert report.verification.int8 == report.verification.mixed == report.verification.fp32 == 1.0
