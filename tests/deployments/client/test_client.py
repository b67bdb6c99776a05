"""The clients against the real application over real HTTP."""

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pillow

from faceserve_client import (
    AsyncClient,
    Client,
    CollectionNotFound,
    ConnectionFailed,
    Image,
    NoFaceInImage,
    NotAnImage,
    Overloaded,
    PersonExists,
    RegistrationFailed,
    Unauthorized,
)
from tests.deployments.client.serving import Refusals
from tests.deployments.colours import drawing


@pytest.fixture
async def client(url: str, bearer: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url, bearer) as client:
        await client.create_collection("staff", "Staff", save_face_crops=True)
        yield client


async def test_a_person_is_enrolled_found_changed_and_deleted(client: AsyncClient) -> None:
    enrolled = await client.create_person("staff", [drawing(0)], id="ada", name="Ada", metadata={"team": 1})
    await client.add_faces("staff", "ada", [drawing(5)])

    found = await client.search("staff", drawing(2), limit=1)
    verified = await client.verify("staff", "ada", drawing(2))
    by_face = await client.search("staff", face_id=enrolled.faces[0].id)
    renamed = await client.update_person("staff", "ada", name=None)
    picture = await client.get_face_image("staff", "ada", enrolled.faces[0].id)
    await client.delete_person("staff", "ada")

    assert [match.person.id for match in found.matches] == ["ada"]
    assert verified.verified
    assert by_face.matches[0].similarity == pytest.approx(1.0)
    assert (renamed.name, renamed.metadata, renamed.face_count) == (None, {"team": 1}, 2)
    assert picture.startswith(b"\xff\xd8")
    assert (await client.get_collection("staff")).face_count == 0


async def test_the_client_for_threads_does_the_same(client: AsyncClient, url: str, bearer: str) -> None:
    def work() -> list[str | None]:
        with Client(url, bearer) as client:
            for number in range(3):
                client.create_person("staff", [drawing(number * 40)], id=f"p{number}")
            assert client.compare(drawing(0), drawing(1)).matched
            names = [client.identify_faces("staff", drawing(0, 80)).faces[0].decision]
            return names + [person.id for person in client.list_persons("staff", limit=2)]

    assert await asyncio.to_thread(work) == ["match", "p0", "p1", "p2"]


async def test_an_image_comes_in_every_form(client: AsyncClient, tmp_path: Path) -> None:
    content = drawing(0)
    (tmp_path / "ada.png").write_bytes(content)
    picture = pillow.open(io.BytesIO(content)).convert("RGB")
    images: list[Image] = [
        content,
        str(tmp_path / "ada.png"),
        tmp_path / "ada.png",
        io.BytesIO(content),
        picture,
        np.asarray(picture),
    ]

    for image in images:
        largest = (await client.detect(image)).faces[0].bbox.pixels

        assert (largest.x, largest.y, largest.width, largest.height) == (20, 20, 80, 80), type(image)


@pytest.mark.parametrize("image", [7, io.StringIO("text"), np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8)])
async def test_what_is_no_image_is_refused_with_what_is_taken(client: AsyncClient, image: object) -> None:
    with pytest.raises(NotAnImage, match="Expected"):
        await client.detect(image)  # type: ignore[arg-type]


async def test_errors_are_classes_with_code_details_and_request_id(client: AsyncClient) -> None:
    await client.create_person("staff", [drawing(0)], id="ada")

    with pytest.raises(PersonExists) as exists:
        await client.create_person("staff", [drawing(0)], id="ada")
    with pytest.raises(RegistrationFailed) as failed:
        await client.create_person("staff", [drawing()], id="bob")
    with pytest.raises(NoFaceInImage):
        await client.search("staff", drawing())
    with pytest.raises(CollectionNotFound):
        await client.get_collection("nobody's")

    assert exists.value.code == "person_exists"
    assert exists.value.request_id
    assert [rejected["reason"] for rejected in failed.value.rejected_images] == ["face_not_found"]


@pytest.mark.parametrize("id", ["", ".", "..", "ada/faces"])
async def test_an_id_that_would_lead_to_another_path_is_refused(client: AsyncClient, id: str) -> None:
    with pytest.raises(ValueError, match="Expected an id"):
        await client.delete_person("staff", id)


async def test_a_wrong_token_is_told_at_once(url: str) -> None:
    async with AsyncClient(url, "x.y.z") as client:
        with pytest.raises(Unauthorized):
            await client.get_collection("staff")


async def test_a_refused_write_is_repeated_under_one_key(client: AsyncClient, refusals: Refusals) -> None:
    refusals.keys.clear()
    refusals.statuses = deque([429, 503])

    await client.create_person("staff", [drawing(0)], id="ada")

    assert len(refusals.keys) == 3
    assert len(set(refusals.keys)) == 1


async def test_a_write_whose_answer_was_lost_happens_once(client: AsyncClient, refusals: Refusals) -> None:
    refusals.statuses = deque([0])

    enrolled = await client.create_person("staff", [drawing(0)], id="ada")

    assert enrolled.person.face_count == 1
    assert (await client.get_person("staff", "ada")).face_count == 1


async def test_a_service_that_refuses_too_often_is_told_to_the_caller(client: AsyncClient, refusals: Refusals) -> None:
    refusals.statuses = deque([429] * 2)

    with pytest.raises(Overloaded) as error:
        await client.with_options(retries=1).get_collection("staff")

    assert (error.value.status, error.value.retry_after_s, error.value.request_id) == (429, 0.0, "r-1")


async def test_a_service_that_asks_for_too_long_a_wait_is_not_waited_for(
    client: AsyncClient, refusals: Refusals
) -> None:
    refusals.statuses, refusals.retry_after = deque([503]), "3600"

    with pytest.raises(Exception) as error:
        await client.get_collection("staff")

    assert error.value.retry_after_s == 3600  # type: ignore[attr-defined]


async def test_nobody_there_is_a_connection_that_failed() -> None:
    async with AsyncClient("http://127.0.0.1:9", "token", retries=0) as client:
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1:9"):
            await client.models()


async def test_all_pages_are_iterated_and_may_be_taken_one_by_one(client: AsyncClient) -> None:
    for number in range(5):
        await client.create_person("staff", [drawing(number * 30)], id=f"p{number}")

    everybody = [person.id async for person in client.list_persons("staff", limit=2)]
    sizes = [len(page) async for page in client.list_persons("staff", limit=2).pages()]

    assert everybody == [f"p{number}" for number in range(5)]
    assert sizes == [2, 2, 1]
