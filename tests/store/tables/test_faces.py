from collections.abc import AsyncIterator
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from store.errors import (
    CollectionModelMismatch,
    FaceImageNotFound,
    FaceNotFound,
    InvalidValue,
    PersonFaceLimitExceeded,
    PersonNotFound,
)
from store.gallery import Gallery
from store.types import NewPerson
from tests.store.faces import CONTRACT, OTHER_CONTRACT, collection, face

NO_IDS = ("", "nonsense", "with\x00nul", "\ud800", "{1}", str(uuid4()))


@pytest.fixture
async def staff(gallery: Gallery) -> AsyncIterator[Gallery]:
    """A gallery with `staff`, where Ada has two faces and Grace one, and no one more than three."""
    await gallery.create_collection("acme", collection(max_faces_per_person=3))
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face(seed=1), face(seed=2)], CONTRACT.id)
    await gallery.enroll_person("acme", "staff", NewPerson("grace"), [face(seed=3)], CONTRACT.id)
    yield gallery


async def counts(gallery: Gallery) -> tuple[int, int, int]:
    """Faces of Ada, of Grace, and of the collection."""
    ada = await gallery.get_person("acme", "staff", "ada")
    grace = await gallery.get_person("acme", "staff", "grace")
    return ada.face_count, grace.face_count, (await gallery.get_collection("acme", "staff")).face_count


async def test_a_face_comes_back_as_it_was_added(staff: Gallery) -> None:
    new = face(seed=7)

    (added,) = await staff.add_faces("acme", "staff", "ada", [new], CONTRACT.id)

    assert await staff.get_face("acme", "staff", "ada", added.id) == added
    assert (added.person_id, added.contract, added.has_crop) == ("ada", CONTRACT, False)
    kept = ("box", "image_width", "image_height", "landmarks", "detection_score", "quality", "source")
    assert [getattr(added, name) for name in kept] == [getattr(new, name) for name in kept]
    assert await counts(staff) == (3, 1, 4)


async def test_a_face_may_lack_landmarks_and_come_from_elsewhere(staff: Gallery) -> None:
    new = replace(face(seed=7), landmarks=None, source="external_trusted", quality={})

    (added,) = await staff.add_faces("acme", "staff", "ada", [new], CONTRACT.id)

    assert (added.landmarks, added.source, added.quality) == (None, "external_trusted", {})


async def test_faces_are_listed_in_the_order_they_were_added(staff: Gallery) -> None:
    await staff.delete_faces("acme", "staff", "ada", None)
    added = await staff.add_faces("acme", "staff", "ada", [face(seed=n) for n in range(3)], CONTRACT.id)

    first = await staff.list_faces("acme", "staff", "ada", limit=2)
    await staff.delete_face("acme", "staff", "ada", first[-1].id)
    second = await staff.list_faces("acme", "staff", "ada", limit=2, after=first[-1].id)

    assert first + second == added


async def test_a_malformed_cursor_is_an_invalid_value(staff: Gallery) -> None:
    with pytest.raises(InvalidValue):
        await staff.list_faces("acme", "staff", "ada", after="nonsense")


async def test_an_unknown_or_malformed_id_is_not_found(staff: Gallery) -> None:
    (grace,) = await staff.list_faces("acme", "staff", "grace")

    for id in (*NO_IDS, grace.id):  # Grace's face is not one of Ada's
        with pytest.raises(FaceNotFound):
            await staff.get_face("acme", "staff", "ada", id)
        with pytest.raises(FaceNotFound):
            await staff.delete_face("acme", "staff", "ada", id)
        with pytest.raises(FaceNotFound):
            await staff.face_crop("acme", "staff", "ada", id)
        with pytest.raises(FaceNotFound):
            await staff.move_face("acme", "staff", "ada", id, "grace")
    for id in NO_IDS:
        with pytest.raises(FaceNotFound):
            await staff.face_embedding("acme", "staff", id, CONTRACT.id)
    with pytest.raises(PersonNotFound):
        await staff.get_face("acme", "staff", "nobody", grace.id)


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(512, np.float32),
        np.full(512, np.nan, np.float32),
        np.full(512, 1.0, np.float32),
        np.eye(1, 128, dtype=np.float32)[0],
        np.eye(1, 512, dtype=np.float64)[0],
    ],
)
async def test_an_embedding_must_be_float32_of_length_one(staff: Gallery, vector: np.ndarray) -> None:
    with pytest.raises(InvalidValue):
        await staff.add_faces("acme", "staff", "ada", [face(vector)], CONTRACT.id)
    with pytest.raises(InvalidValue):
        await staff.search("acme", "staff", CONTRACT.id, vector[None], 5)
    with pytest.raises(InvalidValue):
        await staff.verify("acme", "staff", "ada", CONTRACT.id, vector[None])

    assert await counts(staff) == (2, 1, 3)


async def test_a_refused_face_adds_none_of_its_batch(staff: Gallery) -> None:
    broken = replace(face(seed=8), box=(0.0, 0.0, float("inf"), 1.0))

    with pytest.raises(InvalidValue):
        await staff.add_faces("acme", "staff", "grace", [face(seed=7), broken], CONTRACT.id)
    with pytest.raises(PersonFaceLimitExceeded):
        await staff.add_faces("acme", "staff", "ada", [face(seed=7), face(seed=8)], CONTRACT.id)
    with pytest.raises(CollectionModelMismatch):
        await staff.add_faces("acme", "staff", "ada", [face(seed=7)], OTHER_CONTRACT.id)
    with pytest.raises(PersonNotFound):
        await staff.add_faces("acme", "staff", "nobody", [face(seed=7)], CONTRACT.id)

    assert await counts(staff) == (2, 1, 3)


async def test_a_crop_is_kept_only_where_the_collection_saves_crops(staff: Gallery) -> None:
    (without,) = await staff.add_faces("acme", "staff", "ada", [face(seed=7, crop=b"jpeg")], CONTRACT.id)
    await staff.update_collection("acme", "staff", {"save_face_crops": True})
    kept, bare = await staff.add_faces(
        "acme", "staff", "grace", [face(seed=8, crop=b"\x00jpeg"), face(seed=9)], CONTRACT.id
    )

    assert (without.has_crop, kept.has_crop, bare.has_crop) == (False, True, False)
    assert await staff.face_crop("acme", "staff", "grace", kept.id) == b"\x00jpeg"
    for person, found in (("ada", without), ("grace", bare)):
        with pytest.raises(FaceImageNotFound):
            await staff.face_crop("acme", "staff", person, found.id)


async def test_an_embedding_comes_back_bit_for_bit_as_float32(staff: Gallery) -> None:
    new = face(seed=7)
    (added,) = await staff.add_faces("acme", "staff", "ada", [new], CONTRACT.id)

    found = await staff.face_embedding("acme", "staff", added.id.upper(), CONTRACT.id)

    assert found.dtype == np.float32
    assert np.array_equal(found, new.embedding)
    with pytest.raises(CollectionModelMismatch):
        await staff.face_embedding("acme", "staff", added.id, OTHER_CONTRACT.id)


async def test_deleting_a_face_lowers_the_counts(staff: Gallery) -> None:
    first, second = await staff.list_faces("acme", "staff", "ada")

    await staff.delete_face("acme", "staff", "ada", first.id)

    assert await staff.list_faces("acme", "staff", "ada") == (second,)
    assert await counts(staff) == (1, 1, 2)


async def test_many_faces_are_deleted_at_once_and_unknown_ids_passed_over(staff: Gallery) -> None:
    ids = [found.id for found in await staff.list_faces("acme", "staff", "ada")]
    (grace,) = await staff.list_faces("acme", "staff", "grace")

    assert await staff.delete_faces("acme", "staff", "ada", [ids[0], ids[0], grace.id, *NO_IDS]) == 1
    assert await staff.delete_faces("acme", "staff", "ada", []) == 0
    assert await counts(staff) == (1, 1, 2)
    assert await staff.delete_faces("acme", "staff", "ada", None) == 1
    assert await counts(staff) == (0, 1, 1)


async def test_a_moved_face_is_found_as_the_other_persons(staff: Gallery) -> None:
    moving = (await staff.list_faces("acme", "staff", "ada"))[0]

    moved = await staff.move_face("acme", "staff", "ada", moving.id, "grace")

    assert moved == replace(moving, person_id="grace")
    assert await counts(staff) == (1, 2, 3)
    outcome = await staff.search("acme", "staff", CONTRACT.id, face(seed=1).embedding[None], 1)
    assert outcome.candidates[0][0].person.id == "grace"


async def test_a_move_to_the_same_person_changes_nothing(staff: Gallery) -> None:
    staying = (await staff.list_faces("acme", "staff", "ada"))[0]

    assert await staff.move_face("acme", "staff", "ada", staying.id, "ada") == staying
    assert await counts(staff) == (2, 1, 3)


async def test_a_move_respects_the_face_limit(staff: Gallery) -> None:
    await staff.add_faces("acme", "staff", "ada", [face(seed=7)], CONTRACT.id)
    (grace,) = await staff.list_faces("acme", "staff", "grace")

    with pytest.raises(PersonFaceLimitExceeded):
        await staff.move_face("acme", "staff", "grace", grace.id, "ada")
    with pytest.raises(PersonNotFound):
        await staff.move_face("acme", "staff", "grace", grace.id, "nobody")
