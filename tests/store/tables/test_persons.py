import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from store.errors import (
    CollectionCapacityExceeded,
    CollectionModelMismatch,
    CollectionNotFound,
    ExternalIdExists,
    InvalidValue,
    PersonExists,
    PersonFaceLimitExceeded,
    PersonNotFound,
    PersonSearchTooSlow,
)
from store.gallery import Gallery
from store.types import NewPerson
from tests.store.faces import CONTRACT, OTHER_CONTRACT, collection, face


@pytest.fixture
async def staff(gallery: Gallery) -> AsyncIterator[Gallery]:
    """A gallery with the collection `staff`: at most 3 faces per person and 10 in all."""
    await gallery.create_collection("acme", collection(max_faces_per_person=3, capacity_rows=10))
    yield gallery


async def enroll(gallery: Gallery, id: str | None, faces: int = 1, **properties: object) -> str:
    new = NewPerson(id, **properties)  # type: ignore[arg-type]
    enrolled = await gallery.enroll_person("acme", "staff", new, [face(seed=n) for n in range(faces)], CONTRACT.id)
    return enrolled.person.id


async def ids_of(gallery: Gallery, **options: object) -> list[str]:
    return [found.id for found in await gallery.list_persons("acme", "staff", **options)]  # type: ignore[arg-type]


async def test_a_person_is_enrolled_with_faces(staff: Gallery) -> None:
    new = NewPerson("ada", "Ada Lovelace", "e-1", {"team": "engines"})

    enrolled = await staff.enroll_person("acme", "staff", new, [face(seed=1), face(seed=2)], CONTRACT.id)

    assert await staff.get_person("acme", "staff", "ada") == enrolled.person
    assert await staff.list_faces("acme", "staff", "ada") == enrolled.faces
    assert (enrolled.person.name, enrolled.person.external_id) == ("Ada Lovelace", "e-1")
    assert (enrolled.person.metadata, enrolled.person.face_count) == ({"team": "engines"}, 2)
    found = await staff.get_collection("acme", "staff")
    assert (found.person_count, found.face_count) == (1, 2)


async def test_without_an_id_a_person_gets_a_uuid(staff: Gallery) -> None:
    id = await enroll(staff, None)

    assert str(UUID(id)) == id


async def test_a_person_can_be_enrolled_without_faces(staff: Gallery) -> None:
    await enroll(staff, "ada", faces=0)

    assert (await staff.get_person("acme", "staff", "ada")).face_count == 0
    assert (await staff.verify("acme", "staff", "ada", CONTRACT.id, face().embedding[None])).nearest == (None,)


async def test_ids_are_unique_in_a_collection(staff: Gallery) -> None:
    await enroll(staff, "ada", external_id="e-1")

    with pytest.raises(PersonExists):
        await enroll(staff, "ada")
    with pytest.raises(ExternalIdExists) as raised:
        await enroll(staff, "grace", external_id="e-1")

    assert raised.value.id == "e-1"
    assert (await staff.get_collection("acme", "staff")).person_count == 1
    await enroll(staff, "grace")
    await enroll(staff, "edsger")  # two without an external id are fine


async def test_faces_of_another_contract_are_refused(staff: Gallery) -> None:
    with pytest.raises(CollectionModelMismatch) as raised:
        await staff.enroll_person("acme", "staff", NewPerson("ada"), [face()], OTHER_CONTRACT.id)

    assert (raised.value.expected, raised.value.found) == (CONTRACT.id, OTHER_CONTRACT.id)
    assert await ids_of(staff) == []


async def test_a_person_has_no_more_faces_than_allowed(staff: Gallery) -> None:
    with pytest.raises(PersonFaceLimitExceeded) as raised:
        await enroll(staff, "ada", faces=4)

    assert (raised.value.max_faces, raised.value.requested_faces) == (3, 4)


async def test_writes_at_the_same_time_do_not_exceed_the_capacity(staff: Gallery) -> None:
    attempts = [enroll(staff, f"person-{n}", faces=3) for n in range(6)]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    refused = [outcome for outcome in outcomes if isinstance(outcome, CollectionCapacityExceeded)]
    assert len(refused) == 3
    assert (refused[0].capacity_rows, refused[0].requested_rows) == (10, 12)
    found = await staff.get_collection("acme", "staff")
    assert (found.person_count, found.face_count) == (3, 9)


async def test_the_same_id_at_the_same_time_is_enrolled_once(staff: Gallery) -> None:
    outcomes = await asyncio.gather(*(enroll(staff, "ada") for _ in range(4)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if outcome != "ada"] == [PersonExists] * 3
    assert (await staff.get_collection("acme", "staff")).face_count == 1


async def test_an_unknown_person_is_not_found(staff: Gallery) -> None:
    for id in ("nobody", "with\x00nul", "\ud800"):
        with pytest.raises(PersonNotFound):
            await staff.get_person("acme", "staff", id)
    with pytest.raises(CollectionNotFound):
        await staff.get_person("acme", "nowhere", "ada")


async def test_pages_of_persons_follow_each_other(staff: Gallery) -> None:
    for id in ("b", "a", "Z", "c"):
        await enroll(staff, id, faces=0)

    first = await ids_of(staff, limit=2)
    await staff.delete_person("acme", "staff", first[-1])
    second = await ids_of(staff, limit=5, after=first[-1])

    assert first + second == ["Z", "a", "b", "c"]


async def test_persons_are_found_by_part_of_id_name_or_external_id(staff: Gallery) -> None:
    await enroll(staff, "p-1", faces=0, name="Ada Lovelace", external_id="E_77")
    await enroll(staff, "p-2", faces=0, name="Grace HÖPPER 100%")
    await enroll(staff, "lace", faces=0)

    assert await ids_of(staff, search="LACE") == ["lace", "p-1"]
    assert await ids_of(staff, search="höpp") == ["p-2"]
    assert await ids_of(staff, search="e_7") == ["p-1"]
    assert await ids_of(staff, search="100%") == ["p-2"]
    assert await ids_of(staff, search="_") == ["p-1"]
    assert await ids_of(staff, search="\\") == []
    assert await ids_of(staff, search="\x00") == []
    assert await ids_of(staff, search="") == ["lace", "p-1", "p-2"]


async def test_a_person_is_updated(staff: Gallery) -> None:
    await enroll(staff, "ada", name="Ada", external_id="e-1", metadata={"a": 1})
    await enroll(staff, "grace", external_id="e-2")

    updated = await staff.update_person("acme", "staff", "ada", {"name": None, "metadata": {"b": [None]}})

    assert (updated.name, updated.external_id, updated.metadata) == (None, "e-1", {"b": [None]})
    assert await staff.get_person("acme", "staff", "ada") == updated
    with pytest.raises(ExternalIdExists):
        await staff.update_person("acme", "staff", "ada", {"external_id": "e-2"})
    with pytest.raises(InvalidValue):
        await staff.update_person("acme", "staff", "ada", {"name": "a\x00"})
    with pytest.raises(InvalidValue):
        await staff.update_person("acme", "staff", "ada", {"id": "eve"})
    with pytest.raises(PersonNotFound):
        await staff.update_person("acme", "staff", "nobody", {"name": "x"})


async def test_a_deleted_person_leaves_nothing_behind(staff: Gallery) -> None:
    await enroll(staff, "ada", faces=3)
    await enroll(staff, "grace", faces=1)

    await staff.delete_person("acme", "staff", "ada")

    with pytest.raises(PersonNotFound):
        await staff.get_person("acme", "staff", "ada")
    found = await staff.get_collection("acme", "staff")
    assert (found.person_count, found.face_count) == (1, 1)
    outcome = await staff.search("acme", "staff", CONTRACT.id, face(seed=2).embedding[None], 5)
    assert [candidate.person.id for candidate in outcome.candidates[0]] == ["grace"]


async def test_a_merged_person_gives_all_faces_to_the_other(staff: Gallery) -> None:
    await enroll(staff, "ada", faces=2)
    await staff.enroll_person("acme", "staff", NewPerson("ada-2"), [face(seed=9)], CONTRACT.id)

    merged = await staff.merge_person("acme", "staff", "ada-2", "ada")

    assert (merged.id, merged.face_count) == ("ada", 3)
    assert await ids_of(staff) == ["ada"]
    faces = await staff.list_faces("acme", "staff", "ada")
    assert [found.person_id for found in faces] == ["ada"] * 3
    found = await staff.get_collection("acme", "staff")
    assert (found.person_count, found.face_count) == (1, 3)
    verified = await staff.verify("acme", "staff", "ada", CONTRACT.id, face(seed=9).embedding[None])
    [nearest] = verified.nearest
    assert nearest is not None
    assert nearest.similarity == pytest.approx(1.0, abs=1e-5)


async def test_a_merge_respects_the_face_limit_and_needs_two_persons(staff: Gallery) -> None:
    await enroll(staff, "ada", faces=2)
    await enroll(staff, "grace", faces=2)

    with pytest.raises(PersonFaceLimitExceeded):
        await staff.merge_person("acme", "staff", "grace", "ada")
    with pytest.raises(InvalidValue):
        await staff.merge_person("acme", "staff", "ada", "ada")
    with pytest.raises(PersonNotFound):
        await staff.merge_person("acme", "staff", "nobody", "ada")

    assert await ids_of(staff) == ["ada", "grace"]


async def test_enrolments_into_one_collection_at_the_same_time_are_all_counted(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())

    await asyncio.gather(*(enroll(gallery, f"person-{n}", faces=2) for n in range(30)))

    found = await gallery.get_collection("acme", "staff")
    assert (found.person_count, found.face_count) == (30, 60)


async def test_a_search_for_persons_that_lasts_is_given_up_and_searches_by_face_go_on(
    staff: Gallery, connection: asyncpg.Connection
) -> None:
    await enroll(staff, "ada")
    async with connection.transaction():
        await connection.execute("lock table persons in access exclusive mode")  # as good as a scan that lasts
        started = asyncio.get_running_loop().time()
        with pytest.raises(PersonSearchTooSlow):
            await staff.list_persons("acme", "staff", search="ada")
        took_s = asyncio.get_running_loop().time() - started

    assert 1.9 < took_s < 4  # the statement timeout of all others is 5 s
    assert await ids_of(staff) == ["ada"]
