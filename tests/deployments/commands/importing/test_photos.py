"""Where photos of an import come from."""

import csv
import json
from pathlib import Path

import pytest

from deployments.commands.errors import CommandFailed
from deployments.commands.importing.photos import ImportPhoto, person_id_of, photos_of
from deployments.http.access.tokens import NAME


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


def test_a_folder_for_each_person_gives_its_images_under_the_folder_name(tmp_path: Path) -> None:
    first = touch(tmp_path / "Ada_Lovelace" / "Ada_Lovelace_0001.jpg")
    second = touch(tmp_path / "Bob" / "deep" / "b.PNG")
    for other in ("Bob/notes.txt", "Bob/.hidden.jpg", ".cache/x/y.jpg"):
        touch(tmp_path / other)

    assert list(photos_of(tmp_path)) == [
        ImportPhoto(first, "Ada_Lovelace", name="Ada Lovelace"),
        ImportPhoto(second, "Bob", name="Bob"),
    ]


@pytest.mark.parametrize("text", ["Zoë Müller", "a/b", "x" * 200, "…", "", "-x"])
def test_a_folder_name_that_can_be_no_id_becomes_one_of_its_own(text: str) -> None:
    id = person_id_of(text)

    assert NAME.fullmatch(id)
    assert id == person_id_of(text)
    assert id != person_id_of(text + "!")


def test_a_csv_says_who_is_in_which_file(tmp_path: Path) -> None:
    with (tmp_path / "crew.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "person_id", "name", "external_id", "metadata.team"])
        rows.writerow(["a.jpg", "ada", "Ada", "77", "blue"])
        rows.writerow(["b.jpg", "", "", "Nr 78", ""])

    first, second = photos_of(tmp_path / "crew.csv")

    assert first == ImportPhoto(tmp_path / "a.jpg", "ada", "Ada", "77", {"team": "blue"})
    assert (second.person_id, second.external_id, second.metadata) == (person_id_of("Nr 78"), "Nr 78", {})


def test_json_lines_may_nest_metadata_and_lie_in_the_folder(tmp_path: Path) -> None:
    row = {"file_name": "a.jpg", "person_id": "ada", "metadata": {"team": 1}, "metadata.level": 2}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n\n")

    assert list(photos_of(tmp_path)) == [ImportPhoto(tmp_path / "a.jpg", "ada", metadata={"team": 1, "level": 2})]


def test_a_parquet_file_says_the_same(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([{"file_name": "a.jpg", "person_id": "ada", "metadata.team": 1}])
    parquet.write_table(table, tmp_path / "crew.parquet")

    assert list(photos_of(tmp_path / "crew.parquet")) == [ImportPhoto(tmp_path / "a.jpg", "ada", metadata={"team": 1})]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[]", "JSON object in line 1"),
        ("{", "JSON object in line 1"),
        ('{"file_name": "a.jpg"}', "one of person_id, external_id and name in row 1"),
        ('{"file_name": "a.jpg", "person_id": "a b"}', "Expected a person_id"),
        ('{"file_name": "a.jpg", "person_id": "a", "colour": 1}', "found colour in row 1"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_refused_with_the_line(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "crew.jsonl").write_text(line + "\n")

    with pytest.raises(CommandFailed, match=message):
        list(photos_of(tmp_path / "crew.jsonl"))


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    for source in (tmp_path / "nowhere", touch(tmp_path / "a.txt"), tmp_path / "empty"):
        with pytest.raises(CommandFailed, match="Expected a"):
            list(photos_of(source))
