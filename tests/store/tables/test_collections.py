import asyncio
from dataclasses import replace

import pytest

from store.errors import (
    CollectionCapacityExceeded,
    CollectionExists,
    CollectionNotEmpty,
    CollectionNotFound,
    InvalidValue,
)
from store.gallery import Gallery
from store.types import NewPerson, Statistics
from tests.store.faces import CONTRACT, DETECTION, collection, face


async def ids_of(gallery: Gallery, **options: object) -> list[str]:
    return [found.id for found in await gallery.list_collections("acme", **options)]  # type: ignore[arg-type]


async def test_a_collection_comes_back_as_it_was_created(gallery: Gallery) -> None:
    created = await gallery.create_collection("acme", collection(metadata={"site": "Köln", "floors": [1, 2.5]}))

    found = await gallery.get_collection("acme", "staff")

    assert found == created
    assert found.contract == CONTRACT
    assert found.detection == DETECTION
    assert found.metadata == {"site": "Köln", "floors": [1, 2.5]}
    assert (found.person_count, found.face_count, found.index_state) == (0, 0, "exact")
    assert found.created_at.utcoffset() is not None


async def test_an_id_is_taken_once_per_tenant(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())

    with pytest.raises(CollectionExists):
        await gallery.create_collection("acme", collection(name="Another"))

    assert (await gallery.create_collection("umbrella", collection())).id == "staff"


async def test_an_unknown_collection_is_not_found(gallery: Gallery) -> None:
    for id in ("nobody", "", "with\x00nul", "half\ud800pair"):
        with pytest.raises(CollectionNotFound):
            await gallery.get_collection("acme", id)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "a\x00b"},
        {"id": "\ud800"},
        {"metadata": {"deep": [{"a\x00b": 1}]}},
        {"metadata": {"value": "\udfff"}},
        {"metadata": {"value": float("nan")}},
        {"threshold": 1.5},
        {"threshold": float("nan")},
        {"capacity_rows": 2**70},
        {"contract": replace(CONTRACT, dimension=128)},
    ],
)
async def test_what_postgres_cannot_hold_is_an_invalid_value(gallery: Gallery, changes: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        await gallery.create_collection("acme", collection(**changes))

    assert await ids_of(gallery) == []


async def test_text_that_looks_like_an_escape_is_kept(gallery: Gallery) -> None:
    metadata = {"path": "C:\\u0000\\ud800", "emoji": "😀"}

    created = await gallery.create_collection("acme", collection(metadata=metadata))

    assert created.metadata == metadata


async def test_pages_follow_each_other_by_id(gallery: Gallery) -> None:
    for id in ("b", "a", "B", "ä", "c"):
        await gallery.create_collection("acme", collection(id=id))

    first = await ids_of(gallery, limit=3)
    second = await ids_of(gallery, limit=3, after=first[-1])

    assert first + second == ["B", "a", "b", "c", "ä"]


async def test_a_token_lists_only_what_it_was_granted_and_pages_are_full(gallery: Gallery) -> None:
    for id in ("guests", "staff-berlin", "staff-paris", "staff_x", "vip", "100%"):
        await gallery.create_collection("acme", collection(id=id))

    assert await ids_of(gallery, granted=("staff-*",)) == ["staff-berlin", "staff-paris"]
    assert await ids_of(gallery, granted=("staff-*", "vip"), limit=3) == ["staff-berlin", "staff-paris", "vip"]
    assert await ids_of(gallery, granted=("v?p", "100%")) == ["100%", "vip"]
    assert await ids_of(gallery, granted=("staff_x",)) == ["staff_x"]
    assert await ids_of(gallery, granted=("%", "st_ff-paris", "\x00")) == []
    assert await ids_of(gallery, granted=()) == []
    assert len(await ids_of(gallery, granted=("*",))) == 6


async def test_changes_leave_the_rest_alone(gallery: Gallery) -> None:
    created = await gallery.create_collection("acme", collection())

    updated = await gallery.update_collection("acme", "staff", {"name": "Crew", "metadata": {"a": 1}, "threshold": 0.5})

    assert updated.updated_at > created.updated_at
    expected = replace(created, name="Crew", metadata={"a": 1}, threshold=0.5, updated_at=updated.updated_at)
    assert updated == expected
    assert await gallery.get_collection("acme", "staff") == expected


async def test_another_detection_profile_gets_a_new_revision(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())

    same = await gallery.update_collection("acme", "staff", {"detection": DETECTION, "name": "Crew"})
    other = await gallery.update_collection("acme", "staff", {"detection": replace(DETECTION, threshold=0.6)})

    assert same.detection_revision == 1
    assert (other.detection_revision, other.detection.threshold) == (2, 0.6)


async def test_the_contract_of_a_collection_cannot_be_changed(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())

    with pytest.raises(InvalidValue):
        await gallery.update_collection("acme", "staff", {"contract": CONTRACT})


async def test_the_capacity_cannot_go_below_the_faces_that_are_there(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face(seed=1), face(seed=2)], CONTRACT.id)

    with pytest.raises(CollectionCapacityExceeded):
        await gallery.update_collection("acme", "staff", {"capacity_rows": 1})

    assert (await gallery.update_collection("acme", "staff", {"capacity_rows": 2})).capacity_rows == 2


async def test_a_collection_with_persons_is_deleted_only_by_force(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face()], CONTRACT.id)

    with pytest.raises(CollectionNotEmpty):
        await gallery.delete_collection("acme", "staff")
    await gallery.delete_collection("acme", "staff", force=True)

    with pytest.raises(CollectionNotFound):
        await gallery.get_collection("acme", "staff")
    assert await gallery.statistics("acme") == Statistics(0, 0, 0)
    assert await ids_of(gallery) == []


async def test_a_deleted_id_can_be_used_again_and_starts_empty(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face()], CONTRACT.id)
    await gallery.delete_collection("acme", "staff", force=True)

    again = await gallery.create_collection("acme", collection())

    assert again.face_count == 0
    assert await gallery.list_persons("acme", "staff") == ()
    outcome = await gallery.search("acme", "staff", CONTRACT.id, face().embedding[None], 5)
    assert outcome.candidates == ((),)


async def test_statistics_count_what_a_tenant_has(gallery: Gallery) -> None:
    for id in ("a", "b"):
        await gallery.create_collection("acme", collection(id=id))
        await gallery.enroll_person("acme", id, NewPerson("ada"), [face(seed=1), face(seed=2)], CONTRACT.id)

    assert await gallery.statistics("acme") == Statistics(collections=2, persons=2, faces=4)
    assert await gallery.statistics("umbrella") == Statistics(0, 0, 0)


@pytest.mark.parametrize(("granted", "collections"), [(["a"], 1), (["a*"], 2), (["a", "ab"], 2), ([], 0), (["c"], 0)])
async def test_statistics_count_what_is_granted(gallery: Gallery, granted: list[str], collections: int) -> None:
    for id in ("a", "ab", "b"):
        await gallery.create_collection("acme", collection(id=id))
        await gallery.enroll_person("acme", id, NewPerson("ada"), [face()], CONTRACT.id)

    counted = await gallery.statistics("acme", granted=granted)

    assert counted == Statistics(collections=collections, persons=collections, faces=collections)


async def test_two_changes_of_different_detection_fields_both_hold(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection(id="staff"))

    await asyncio.gather(
        gallery.update_collection("acme", "staff", {"detection": {"threshold": 0.7}}),
        gallery.update_collection("acme", "staff", {"detection": {"single_face_selection": "center_largest"}}),
    )

    changed = await gallery.get_collection("acme", "staff")
    assert changed.detection.threshold == 0.7
    assert changed.detection.single_face_selection == "center_largest"
    assert changed.detection_revision == 3


async def test_a_detection_field_that_does_not_exist_is_refused(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection(id="staff"))

    with pytest.raises(InvalidValue, match="sensitivity"):
        await gallery.update_collection("acme", "staff", {"detection": {"sensitivity": 1}})
