import fcntl
import json
import shutil
import zipfile
from pathlib import Path

import pytest

from encoders.errors import PackCorrupt, PackError, PackIncomplete, PackNotFound
from encoders.packs.directory import find_pack, verify_pack
from encoders.packs.install import import_pack, install
from encoders.packs.manifest import MANIFEST_FILE


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    return tmp_path / "models"


def zip_of(archive: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return archive


def model_files(directory: Path, folder: str = "") -> dict[str, bytes]:
    return {f"{folder}{path.name}": path.read_bytes() for path in (directory / "drawn").glob("*.onnx")}


def visible(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("folder", ["", "antelopev2/", "a/b/"])
def test_a_zip_is_imported_wherever_its_models_lie(
    tmp_path: Path, models_dir: Path, drawn_models_dir: Path, folder: str
) -> None:
    archive = zip_of(tmp_path / "faces.zip", model_files(drawn_models_dir, folder) | {"README.md": b"hello"})

    pack = import_pack(models_dir, archive)

    assert pack == find_pack(models_dir, "faces")
    assert sorted(path.name for path in pack.directory.iterdir()) == ["det.onnx", MANIFEST_FILE, "rec.onnx"]
    assert visible(models_dir) == ["faces"]


def test_a_directory_is_imported_under_the_name_given(models_dir: Path, drawn_models_dir: Path) -> None:
    pack = import_pack(models_dir, drawn_models_dir / "drawn", "office")

    assert pack.name == "office"
    assert verify_pack(pack)


def test_an_imported_pack_notices_later_damage(models_dir: Path, drawn_models_dir: Path) -> None:
    pack = import_pack(models_dir, drawn_models_dir / "drawn")
    content = bytearray(pack.recogniser.read_bytes())
    content[len(content) // 2] ^= 1  # a weight: the graph still parses
    pack.recogniser.write_bytes(content)

    with pytest.raises(PackCorrupt, match="sha256"):
        verify_pack(find_pack(models_dir, "drawn"))


def test_an_imported_manifest_keeps_what_it_states(tmp_path: Path, models_dir: Path, drawn_models_dir: Path) -> None:
    manifest = json.dumps({"licence": "MIT", "commercial_use": True}).encode()
    archive = zip_of(tmp_path / "faces.zip", model_files(drawn_models_dir) | {MANIFEST_FILE: manifest})

    pack = import_pack(models_dir, archive)

    assert (pack.licence, pack.commercial_use) == ("MIT", True)
    assert pack.recogniser_sha256 is not None


def test_a_name_that_is_taken_is_refused_unless_overwriting(models_dir: Path, drawn_models_dir: Path) -> None:
    import_pack(models_dir, drawn_models_dir / "drawn")

    with pytest.raises(PackError, match="already"):
        import_pack(models_dir, drawn_models_dir / "drawn")

    assert import_pack(models_dir, drawn_models_dir / "drawn", overwrite=True).name == "drawn"
    assert visible(models_dir) == ["drawn"]


@pytest.mark.parametrize("name", ["../out", "a/b", "", ".hidden"])
def test_a_name_that_is_a_path_is_refused(models_dir: Path, drawn_models_dir: Path, name: str) -> None:
    with pytest.raises(PackError, match="name"):
        import_pack(models_dir, drawn_models_dir / "drawn", name)


@pytest.mark.parametrize("entry", ["../evil.onnx", "/evil.onnx", "a/../../evil.onnx", "..\\evil.onnx"])
def test_an_archive_that_points_outside_itself_leaves_nothing(
    tmp_path: Path, models_dir: Path, drawn_models_dir: Path, entry: str
) -> None:
    archive = zip_of(tmp_path / "faces.zip", model_files(drawn_models_dir) | {entry: b"evil"})

    with pytest.raises(PackCorrupt, match="outside"):
        import_pack(models_dir, archive)

    assert visible(models_dir) == []
    assert not list(tmp_path.rglob("evil.onnx"))


def test_an_archive_that_would_fill_the_disk_leaves_nothing(
    tmp_path: Path, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("encoders.packs.install.MAX_UNPACKED_BYTES", 3_000_000)
    archive = zip_of(tmp_path / "bomb.zip", {"a.onnx": bytes(2_000_000), "b.onnx": bytes(2_000_000)})
    assert archive.stat().st_size < 10_000

    with pytest.raises(PackCorrupt, match="unpacks to more"):
        import_pack(models_dir, archive)

    assert visible(models_dir) == []


def test_a_file_that_is_no_zip_leaves_nothing(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "faces.zip").write_bytes(b"not a zip file" * 100)

    with pytest.raises(PackCorrupt, match="no zip file"):
        import_pack(models_dir, tmp_path / "faces.zip")

    assert visible(models_dir) == []


def test_a_zip_that_was_cut_off_leaves_nothing(tmp_path: Path, models_dir: Path, drawn_models_dir: Path) -> None:
    archive = zip_of(tmp_path / "faces.zip", model_files(drawn_models_dir))
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])

    with pytest.raises(PackCorrupt):
        import_pack(models_dir, archive)

    assert visible(models_dir) == []


def test_an_archive_with_the_same_file_twice_is_refused(
    tmp_path: Path, models_dir: Path, drawn_models_dir: Path
) -> None:
    archive = zip_of(tmp_path / "faces.zip", model_files(drawn_models_dir) | model_files(drawn_models_dir, "b/"))

    with pytest.raises(PackCorrupt, match="twice"):
        import_pack(models_dir, archive)


def test_an_archive_without_a_recogniser_leaves_nothing(
    tmp_path: Path, models_dir: Path, drawn_models_dir: Path
) -> None:
    files = model_files(drawn_models_dir)
    del files["rec.onnx"]

    with pytest.raises(PackIncomplete, match="recogniser"):
        import_pack(models_dir, zip_of(tmp_path / "faces.zip", files))

    assert visible(models_dir) == []


def test_importing_from_nowhere_is_not_found(tmp_path: Path, models_dir: Path) -> None:
    with pytest.raises(PackNotFound):
        import_pack(models_dir, tmp_path / "absent.zip")


def test_a_failed_overwrite_keeps_the_pack_that_was_there(
    tmp_path: Path, models_dir: Path, drawn_models_dir: Path
) -> None:
    before = import_pack(models_dir, drawn_models_dir / "drawn")
    (tmp_path / "drawn.zip").write_bytes(b"not a zip file")

    with pytest.raises(PackCorrupt):
        import_pack(models_dir, tmp_path / "drawn.zip", overwrite=True)

    assert find_pack(models_dir, "drawn") == before


def test_what_a_killed_install_left_behind_is_cleared(models_dir: Path, drawn_models_dir: Path) -> None:
    shutil.copytree(drawn_models_dir / "drawn", models_dir / ".drawn.replaced")  # it died between its two renames
    (models_dir / ".drawn.partial").mkdir()
    (models_dir / ".drawn.partial" / "half.onnx").write_bytes(b"half")

    with pytest.raises(PackError, match="already"):
        import_pack(models_dir, drawn_models_dir / "drawn")

    assert find_pack(models_dir, "drawn")


def test_a_lock_that_another_process_holds_is_waited_for_in_vain(models_dir: Path, drawn_models_dir: Path) -> None:
    models_dir.mkdir()
    with (models_dir / ".drawn.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        with pytest.raises(PackError, match="Another process"):
            install(models_dir, "drawn", lambda directory: None, "refuse", lock_timeout_s=0)


def test_a_models_directory_that_cannot_be_made_is_a_pack_error(tmp_path: Path, drawn_models_dir: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(PackError, match="cannot be copied") as failure:
        import_pack(tmp_path / "file" / "models", drawn_models_dir / "drawn")

    assert str(tmp_path) not in str(failure.value)
