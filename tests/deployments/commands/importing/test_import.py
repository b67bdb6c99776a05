"""An import against the real application over real HTTP: what it enrols, and what it does when it is repeated."""

import asyncio
import csv
import json
from collections import Counter, deque
from pathlib import Path
from typing import Any

import pytest

from deployments.commands.importing.engine import Import, ImportOptions, TooManyErrors
from deployments.commands.importing.outcomes import FileOutcome, Report
from deployments.commands.importing.photos import photos_of
from faceserve_client import AsyncClient, CollectionNotFound
from tests.deployments.client.serving import Refusals
from tests.deployments.colours import Person, drawing
from tests.deployments.commands.running import faceserve, start

OPTIONS = ImportOptions("staff")


class Told(Report):
    """A report that keeps what it was told."""

    def __init__(self) -> None:
        super().__init__(None)
        self.outcomes: list[FileOutcome] = []

    def add(self, outcome: FileOutcome) -> None:
        self.outcomes.append(outcome)
        super().add(outcome)


def people(folder: Path, persons: int, photos: int) -> Path:
    """Draw a folder for each person with so many photos, each a file of its own content."""
    for person in range(persons):
        (folder / f"p{person}").mkdir(parents=True)
        for photo in range(photos):
            square = Person(person * 30, side=60 + photo, brightness=0.9)
            (folder / f"p{person}" / f"{photo}.png").write_bytes(drawing(square))
    return folder


async def run(client: AsyncClient, source: Path, options: ImportOptions = OPTIONS) -> Told:
    report = Told()
    await Import(client, options, report).run(photos_of(source))
    return report


async def test_everybody_is_enrolled_and_a_second_run_sends_nothing(
    client: AsyncClient, refusals: Refusals, tmp_path: Path
) -> None:
    source = people(tmp_path, 4, 3)

    first = await run(client, source)
    refusals.keys.clear()
    second = await run(client, source)

    assert first.counts == {"enrolled": 12}
    assert second.counts == {"present": 12}
    assert refusals.keys == []  # of writes
    collection = await client.get_collection("staff")
    assert (collection.person_count, collection.face_count) == (4, 12)
    assert (await client.get_person("staff", "p1")).name == "p1"


async def test_a_dry_run_tells_what_is_wanted_and_writes_nothing(client: AsyncClient, tmp_path: Path) -> None:
    source = people(tmp_path, 2, 2)
    await client.create_person("staff", [source / "p0" / "0.png"], id="p0")

    report = await run(client, source, ImportOptions("staff", is_dry_run=True))

    assert report.counts == {"present": 1, "wanted": 3}
    assert (await client.get_collection("staff")).face_count == 1


async def test_two_imports_at_once_enrol_each_file_once(client: AsyncClient, tmp_path: Path) -> None:
    source = people(tmp_path, 5, 4)

    reports = await asyncio.gather(*(run(client, source) for _ in range(3)))

    assert all(report.bad == 0 and report.total == 20 for report in reports)
    collection = await client.get_collection("staff")
    assert (collection.person_count, collection.face_count) == (5, 20)
    for person in range(5):
        faces = [face.source_sha256 async for face in client.list_faces("staff", f"p{person}")]
        assert len(faces) == len(set(faces)) == 4


async def test_what_is_not_taken_is_told_with_its_reason_and_the_rest_goes_in(
    client: AsyncClient, tmp_path: Path
) -> None:
    source = people(tmp_path / "photos", 1, 2)
    (source / "p0" / "a.png").write_bytes(drawing())
    (source / "p0" / "b.png").write_bytes(b"no image")
    (source / "p1").mkdir()
    (source / "p1" / "same.png").write_bytes((source / "p0" / "0.png").read_bytes())

    report = await run(client, source)

    reasons = {outcome.file.name: (outcome.outcome, outcome.reason) for outcome in report.outcomes}
    assert reasons == {
        "0.png": ("enrolled", ""),
        "1.png": ("enrolled", ""),
        "a.png": ("rejected", "face_not_found"),
        "b.png": ("rejected", "unsupported_image_format"),
        "same.png": ("duplicate", ""),
    }


async def test_a_file_that_another_person_has_is_told_and_not_sent(client: AsyncClient, tmp_path: Path) -> None:
    source = people(tmp_path, 1, 1)
    await client.create_person("staff", [source / "p0" / "0.png"], id="merged")

    report = await run(client, source)

    [outcome] = report.outcomes
    assert (outcome.outcome, outcome.details) == ("elsewhere", {"found_person_id": "merged"})


async def test_overload_and_lost_answers_only_slow_an_import_down(
    client: AsyncClient, refusals: Refusals, tmp_path: Path
) -> None:
    source = people(tmp_path, 3, 3)
    refusals.statuses = deque([429, 429, 0, 429, 503, 429])

    report = await run(client, source)

    assert report.counts == {"enrolled": 9}
    assert (await client.get_collection("staff")).face_count == 9


async def test_what_was_deleted_since_is_enrolled_again(client: AsyncClient, tmp_path: Path) -> None:
    source = people(tmp_path, 1, 2)
    for _ in range(3):  # the keys of the runs before are still remembered by the service
        report = await run(client, source)

        assert report.counts == {"enrolled": 2}
        assert (await client.get_collection("staff")).face_count == 2
        await client.delete_person("staff", "p0")


async def test_too_many_errors_stop_it(client: AsyncClient, tmp_path: Path) -> None:
    for number in range(6):
        (tmp_path / f"p{number}").mkdir()
        (tmp_path / f"p{number}" / "x.png").write_bytes(drawing() + bytes([number]))

    with pytest.raises(TooManyErrors, match="--max-errors is 2"):
        await run(client, tmp_path, ImportOptions("staff", max_errors=2))


async def test_a_collection_that_is_not_there_ends_it_at_once(client: AsyncClient, tmp_path: Path) -> None:
    with pytest.raises(CollectionNotFound):
        await run(client, people(tmp_path, 1, 1), ImportOptions("nowhere"))


@pytest.mark.parametrize("suffix", ["csv", "ndjson"])
async def test_the_command_prints_one_document_writes_a_report_and_exits_with_3_for_rejects(
    client: AsyncClient, url: str, bearer: str, tmp_path: Path, suffix: str
) -> None:
    source = people(tmp_path / "photos", 2, 1)
    (source / "p0" / "none.png").write_bytes(drawing())
    report = tmp_path / f"report.{suffix}"

    code, out, err = await faceserve(
        *("import", str(source), "--collection", "staff", "--json", "--report", str(report)), url=url, bearer=bearer
    )

    assert code == 3, err
    document = json.loads(out)
    assert (document["files"], document["enrolled"], document["rejected"]) == (3, 2, 1)
    assert document["reasons"] == {"face_not_found": 1}
    lines = report.read_text(encoding="utf-8").splitlines()
    rows: list[dict[str, Any]] = list(csv.DictReader(lines)) if suffix == "csv" else list(map(json.loads, lines))
    assert Counter(row["outcome"] for row in rows) == {"enrolled": 2, "rejected": 1}
    assert {row["reason"] for row in rows} == {"", "face_not_found"}


async def test_a_command_that_cannot_work_exits_with_1_and_one_line(url: str, bearer: str, tmp_path: Path) -> None:
    code, out, err = await faceserve(
        "import", str(people(tmp_path, 1, 1)), "--collection", "nowhere", url=url, bearer=bearer
    )

    assert (code, out) == (1, "")
    assert "nowhere" in err or "collection" in err
    assert "Traceback" not in err


async def test_a_command_that_is_killed_again_and_again_ends_with_everything_there_once(
    client: AsyncClient, refusals: Refusals, url: str, bearer: str, tmp_path: Path
) -> None:
    source = people(tmp_path, 12, 4)
    words = ("import", str(source), "--collection", "staff", "--json", "--concurrency", "2")
    for least in (3, 20):
        process = await start(*words, url=url, bearer=bearer)
        await refusals.writes(least)
        process.kill()
        await process.communicate()

    code, out, err = await faceserve(*words, url=url, bearer=bearer)

    assert code == 0, err
    assert json.loads(out)["files"] == 48
    collection = await client.get_collection("staff")
    assert (collection.person_count, collection.face_count) == (12, 48)
