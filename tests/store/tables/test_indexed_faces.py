from uuid import uuid4

import pytest

from store.errors import (
    CollectionCapacityExceeded,
    CollectionNotEmpty,
    FaceNotFound,
    InvalidValue,
    PersonFaceLimitExceeded,
)
from store.gallery import Gallery
from store.types import FaceRecord, IndexedImage, NewPerson
from tests.store.faces import CONTRACT, collection, embedding, face


@pytest.fixture
async def indexed(gallery: Gallery) -> tuple[FaceRecord, ...]:
    """Two faces of an image, in a collection of six faces, three a person; `ada` has one of her own."""
    await gallery.create_collection("acme", collection(capacity_rows=6, max_faces_per_person=3))
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face(seed=3)], CONTRACT.id)
    return await index(gallery, IndexedImage(str(uuid4()), "party.jpg"))


async def index(gallery: Gallery, image: IndexedImage, *seeds: int) -> tuple[FaceRecord, ...]:
    faces = [face(seed=seed) for seed in seeds or (1, 2)]
    return await gallery.index_faces("acme", "staff", image, faces, CONTRACT.id)


async def counts(gallery: Gallery) -> tuple[int, int]:
    found = await gallery.get_collection("acme", "staff")
    return found.person_count, found.face_count


async def test_indexed_faces_are_found_as_persons_whom_no_list_shows(
    gallery: Gallery, indexed: tuple[FaceRecord, ...]
) -> None:
    listed = await gallery.list_persons("acme", "staff")
    (candidates,) = (await gallery.search("acme", "staff", CONTRACT.id, embedding(2)[None], 5)).candidates

    assert [person.id for person in listed] == ["ada"]
    assert await counts(gallery) == (1, 3)
    assert [one.external_image_id for one in indexed] == ["party.jpg"] * 2
    assert (candidates[0].face_id, candidates[0].person.is_anonymous) == (indexed[1].id, True)
    assert len(candidates) == 3


async def test_an_image_is_indexed_once(gallery: Gallery, indexed: tuple[FaceRecord, ...]) -> None:
    assert indexed[0].image_id is not None
    again = await index(gallery, IndexedImage(indexed[0].image_id, "party.jpg"))
    elsewhere = await index(gallery, IndexedImage(str(uuid4()), "party.jpg"))

    assert again == indexed
    assert {one.id for one in elsewhere}.isdisjoint(one.id for one in indexed)


async def test_faces_are_found_listed_and_deleted_by_their_ids(
    gallery: Gallery, indexed: tuple[FaceRecord, ...]
) -> None:
    (of_ada,) = await gallery.list_faces("acme", "staff", "ada")
    everyone = await gallery.list_all_faces("acme", "staff")
    rest = await gallery.list_all_faces("acme", "staff", after=everyone[0].id, limit=1)
    named = await gallery.list_all_faces("acme", "staff", named=True)
    embeddings = await gallery.face_embeddings("acme", "staff", [indexed[0].id, str(uuid4())], CONTRACT.id)

    deleted = await gallery.delete_indexed_faces("acme", "staff", [indexed[0].id, of_ada.id, "nobody"])

    assert everyone == (of_ada, *indexed)
    assert (rest, named) == ((indexed[0],), (of_ada,))
    assert list(embeddings) == [indexed[0].id]
    assert (embeddings[indexed[0].id] == embedding(1)).all()
    assert deleted == (of_ada, indexed[0])
    assert await gallery.find_faces("acme", "staff", [one.id for one in everyone]) == (indexed[1],)
    assert await counts(gallery) == (1, 1)
    assert (await gallery.get_person("acme", "staff", "ada")).face_count == 0
    with pytest.raises(FaceNotFound):
        await gallery.get_indexed_face("acme", "staff", indexed[0].id)


async def test_a_persons_faces_can_be_spared(gallery: Gallery, indexed: tuple[FaceRecord, ...]) -> None:
    ids = [one.id for one in await gallery.list_all_faces("acme", "staff")]

    deleted = await gallery.delete_indexed_faces("acme", "staff", ids, anonymous_only=True)

    assert deleted == indexed
    assert await counts(gallery) == (1, 1)


async def test_a_person_claims_anonymous_faces_and_releases_them(
    gallery: Gallery, indexed: tuple[FaceRecord, ...]
) -> None:
    ids = [one.id for one in indexed]
    await gallery.enroll_person("acme", "staff", NewPerson("eve"), [face(seed=4)], CONTRACT.id)
    (of_eve,) = await gallery.list_faces("acme", "staff", "eve")

    claimed = await gallery.claim_faces("acme", "staff", "ada", [*ids, of_eve.id, str(uuid4())])
    again = await gallery.claim_faces("acme", "staff", "ada", ids)
    has_three = (await gallery.get_person("acme", "staff", "ada")).face_count
    released = await gallery.release_faces("acme", "staff", "ada", [ids[0]])
    all_released = await gallery.release_faces("acme", "staff", "ada", None)

    assert [(one.id, one.person_id) for one in claimed] == [(id, "ada") for id in ids]
    assert (again, has_three) == ((), 3)
    assert [one.id for one in released] == ids[:1]
    assert len(all_released) == 2
    assert (await gallery.get_person("acme", "staff", "ada")).face_count == 0
    assert await counts(gallery) == (2, 4)
    assert len({one.person_id for one in await gallery.list_all_faces("acme", "staff")}) == 4


async def test_whoever_is_named_is_a_person_from_then_on(gallery: Gallery, indexed: tuple[FaceRecord, ...]) -> None:
    await gallery.update_person("acme", "staff", indexed[0].person_id, {"name": "Grace"})
    await gallery.delete_person("acme", "staff", indexed[1].person_id)

    assert {person.name for person in await gallery.list_persons("acme", "staff")} == {None, "Grace"}
    assert await counts(gallery) == (2, 2)


async def test_limits_hold_for_indexed_faces(gallery: Gallery, indexed: tuple[FaceRecord, ...]) -> None:
    await index(gallery, IndexedImage(str(uuid4())), 5)
    others = [one.id for one in await gallery.list_all_faces("acme", "staff")]

    with pytest.raises(CollectionCapacityExceeded):
        await index(gallery, IndexedImage(str(uuid4())), 6, 7, 8)
    with pytest.raises(PersonFaceLimitExceeded):
        await gallery.claim_faces("acme", "staff", "ada", others)
    with pytest.raises(InvalidValue):
        await index(gallery, IndexedImage("party"))
    with pytest.raises(InvalidValue):
        await gallery.find_faces("acme", "staff", others * 2000)
    await gallery.delete_person("acme", "staff", "ada")
    with pytest.raises(CollectionNotEmpty):
        await gallery.delete_collection("acme", "staff")
