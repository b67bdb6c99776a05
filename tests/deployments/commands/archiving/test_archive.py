"""A collection out into a file, and back in: the same answers, to the last digit, and no half of it anywhere."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from configs.tuning import EmbedderTuning
from deployments.commands.archiving.archive import BadArchive, verified
from deployments.commands.archiving.export import export
from deployments.commands.archiving.restore import OtherContract, restore
from deployments.inference.worker import InferenceWorker
from faceserve_client import AsyncClient
from tests.deployments.client.serving import served
from tests.deployments.colours import ColourEncoder, Person, drawing
from tests.deployments.commands.running import faceserve
from tests.deployments.service import Clients, application
from tests.deployments.tokens import token

PROBES = [drawing(hue) for hue in range(0, 360, 9)]


@pytest.fixture
async def gallery_of_ten(client: AsyncClient) -> AsyncClient:
    for person in range(10):
        photo = drawing(Person(person * 36, side=60 + person))
        await client.create_person("staff", [photo], id=f"p{person}", name=f"Nr {person}", metadata={"n": person})
    await client.add_faces("staff", "p3", [drawing(115), drawing(101)])
    await client.update_person("staff", "p4", external_id="x-4")
    return client


async def answers(client: AsyncClient, collection: str) -> list[object]:
    """Return who is found for each probe, with every digit, times left out."""
    found = [await client.search(collection, probe, limit=10, threshold=0.0) for probe in PROBES]
    return [[(match.person.id, match.similarity, match.person.metadata) for match in each.matches] for each in found]


async def test_a_dropped_collection_that_is_restored_gives_the_same_answers(
    gallery_of_ten: AsyncClient, tmp_path: Path
) -> None:
    client = gallery_of_ten
    before, persons = await answers(client, "staff"), [person async for person in client.list_persons("staff")]
    faces = [face async for face in client.list_faces("staff", "p3")]
    crop = await client.get_face_image("staff", "p3", faces[0].id)
    exported = await export(client, "staff", tmp_path / "staff.tar")
    await client.delete_collection("staff", force=True)

    restored = await restore(client, verified(tmp_path / "staff.tar"), "back")

    assert exported == {"persons": 10, "faces": 12, "crops": 12}
    assert (restored["persons"], restored["faces"]) == (10, 12)
    assert await answers(client, "back") == before
    back = [person async for person in client.list_persons("back")]
    assert [(each.id, each.name, each.external_id, each.face_count, each.created_at) for each in back] == [
        (each.id, each.name, each.external_id, each.face_count, each.created_at) for each in persons
    ]
    again = [face async for face in client.list_faces("back", "p3")]
    assert sorted(face.source_sha256 or "" for face in again) == sorted(face.source_sha256 or "" for face in faces)
    assert crop in [await client.get_face_image("back", "p3", face.id) for face in again]


async def test_a_restore_that_is_repeated_adds_nothing_and_goes_beside_the_original(
    gallery_of_ten: AsyncClient, clients: Clients, url: str, tmp_path: Path
) -> None:
    await export(gallery_of_ten, "staff", tmp_path / "staff.tar")
    archive = verified(tmp_path / "staff.tar")

    same = await restore(gallery_of_ten, archive, "staff")
    async with AsyncClient(url, token(tenant="another-tenant")) as other:
        first = await restore(other, archive, "moved")
        second = await restore(other, archive, "moved")
        collection = await other.get_collection("moved")

    assert same == {"persons": 0, "faces": 0, "present": 12, "skipped": 0}
    assert first == {"persons": 10, "faces": 12, "present": 0, "skipped": 0}
    assert second == {"persons": 0, "faces": 0, "present": 12, "skipped": 0}
    assert (collection.person_count, collection.face_count) == (10, 12)


async def test_common_tools_read_an_archive(gallery_of_ten: AsyncClient, tmp_path: Path) -> None:
    await export(gallery_of_ten, "staff", tmp_path / "staff.tar")

    with tarfile.open(tmp_path / "staff.tar") as tar:
        tar.extractall(tmp_path / "out", filter="data")

    embeddings = np.load(tmp_path / "out" / "embeddings-00000.npy")
    faces = [json.loads(line) for line in (tmp_path / "out" / "faces-00000.jsonl").read_text().splitlines()]
    assert embeddings.shape == (12, 512)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1)
    assert len(list((tmp_path / "out" / "crops").glob("*.jpg"))) == len(faces) == 12
    assert oct((tmp_path / "staff.tar").stat().st_mode & 0o777) == "0o600"


@pytest.mark.parametrize("damage", ["cut", "flipped", "no archive"])
async def test_a_damaged_archive_is_refused_whole(gallery_of_ten: AsyncClient, tmp_path: Path, damage: str) -> None:
    path = tmp_path / "staff.tar"
    await export(gallery_of_ten, "staff", path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        place = content.index(b"NUMPY") + 1000
        content[place] ^= 1
    else:
        content = bytearray(b"hello")
    path.write_bytes(content)

    with pytest.raises(BadArchive):
        verified(path)


async def test_another_contract_is_refused_with_what_to_do(
    gallery_of_ten: AsyncClient, clients: Clients, tmp_path: Path
) -> None:
    await export(gallery_of_ten, "staff", tmp_path / "staff.tar")
    worker = InferenceWorker(ColourEncoder("2"), EmbedderTuning())
    async with (
        served(application(worker, clients.gallery)) as url,
        AsyncClient(url, token(tenant="third-tenant")) as other,
    ):
        with pytest.raises(OtherContract, match="faceserve import"):
            await restore(other, verified(tmp_path / "staff.tar"), "moved")

        assert [each async for each in other.list_collections()] == []
    worker.close()


async def test_the_commands_print_counts_and_refuse_what_is_damaged(
    gallery_of_ten: AsyncClient, url: str, bearer: str, tmp_path: Path
) -> None:
    path = tmp_path / "staff.tar"

    exported = await faceserve("export", "staff", str(path), "--json", url=url, bearer=bearer)
    restored = await faceserve("restore", str(path), "--collection", "two", "--json", url=url, bearer=bearer)
    path.write_bytes(path.read_bytes()[:-20_000])
    damaged = await faceserve("restore", str(path), "--collection", "three", url=url, bearer=bearer)

    assert (exported[0], json.loads(exported[1])) == (0, {"persons": 10, "faces": 12, "crops": 12})
    assert json.loads(restored[1])["faces"] == 12
    assert damaged[0] == 1
    assert "Traceback" not in damaged[2]
    assert "three" not in [each.id async for each in gallery_of_ten.list_collections()]
