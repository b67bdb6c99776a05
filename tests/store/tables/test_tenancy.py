from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from store.errors import CollectionNotFound
from store.gallery import Gallery
from store.marks import operations_of
from store.types import AppliedCalibration, Idempotency, IndexedImage, NewPerson, Statistics
from tests.store.faces import CONTRACT, collection, embedding, face

APPLIED = AppliedCalibration("", datetime.now(UTC), 0.4, 1, 1, (0.5,), (0.1,))
ASK: dict[str, Callable[[Gallery, str, str], Awaitable[Any]]] = {
    "get_collection": lambda g, t, f: g.get_collection(t, "staff"),
    "update_collection": lambda g, t, f: g.update_collection(t, "staff", {"name": "x"}),
    "delete_collection": lambda g, t, f: g.delete_collection(t, "staff", force=True),
    "enroll_person": lambda g, t, f: g.enroll_person(t, "staff", NewPerson("eve"), [], CONTRACT.id),
    "get_person": lambda g, t, f: g.get_person(t, "staff", "ada"),
    "list_persons": lambda g, t, f: g.list_persons(t, "staff"),
    "update_person": lambda g, t, f: g.update_person(t, "staff", "ada", {"name": "x"}),
    "delete_person": lambda g, t, f: g.delete_person(t, "staff", "ada"),
    "merge_person": lambda g, t, f: g.merge_person(t, "staff", "ada", "grace"),
    "prepare_enrollment": lambda g, t, f: g.prepare_enrollment(t, "staff"),
    "add_faces": lambda g, t, f: g.add_faces(t, "staff", "ada", [face()], CONTRACT.id),
    "list_faces": lambda g, t, f: g.list_faces(t, "staff", "ada"),
    "get_face": lambda g, t, f: g.get_face(t, "staff", "ada", f),
    "delete_face": lambda g, t, f: g.delete_face(t, "staff", "ada", f),
    "delete_faces": lambda g, t, f: g.delete_faces(t, "staff", "ada", None),
    "move_face": lambda g, t, f: g.move_face(t, "staff", "ada", f, "grace"),
    "index_faces": lambda g, t, f: g.index_faces(t, "staff", IndexedImage(f), [face()], CONTRACT.id),
    "get_indexed_face": lambda g, t, f: g.get_indexed_face(t, "staff", f),
    "find_faces": lambda g, t, f: g.find_faces(t, "staff", [f]),
    "list_all_faces": lambda g, t, f: g.list_all_faces(t, "staff"),
    "face_embeddings": lambda g, t, f: g.face_embeddings(t, "staff", [f], CONTRACT.id),
    "delete_indexed_faces": lambda g, t, f: g.delete_indexed_faces(t, "staff", [f]),
    "claim_faces": lambda g, t, f: g.claim_faces(t, "staff", "ada", [f]),
    "release_faces": lambda g, t, f: g.release_faces(t, "staff", "ada", None),
    "archive_page": lambda g, t, f: g.archive_page(t, "staff"),
    "restore": lambda g, t, f: g.restore(t, "staff", CONTRACT.id, [], []),
    "known_sources": lambda g, t, f: g.known_sources(t, "staff", ["00" * 32], ["ada"]),
    "face_crop": lambda g, t, f: g.face_crop(t, "staff", "ada", f),
    "face_embedding": lambda g, t, f: g.face_embedding(t, "staff", f, CONTRACT.id),
    "search": lambda g, t, f: g.search(t, "staff", CONTRACT.id, embedding(1)[None], 1),
    "verify": lambda g, t, f: g.verify(t, "staff", "ada", CONTRACT.id, embedding(1)[None]),
    "start_calibration": lambda g, t, f: g.start_calibration(t, "staff", 1),
    "advance_calibration": lambda g, t, f: g.advance_calibration(t, "staff", f, 1.0),
    "get_calibration": lambda g, t, f: g.get_calibration(t, "staff", f),
    "list_calibrations": lambda g, t, f: g.list_calibrations(t, "staff"),
    "apply_calibration": lambda g, t, f: g.apply_calibration(t, "staff", 0.5, APPLIED),
    "calibration_scores": lambda g, t, f: g.calibration_scores(t, "staff", f),
}


@pytest.mark.parametrize("tenant", ["umbrella", "", "ACME", "ac\x00me", "\ud800"])
async def test_another_tenant_finds_nothing_and_changes_nothing(gallery: Gallery, tenant: str) -> None:
    await gallery.create_collection("acme", collection(save_face_crops=True))
    enrolled = await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face(crop=b"jpeg")], CONTRACT.id)
    await gallery.enroll_person("acme", "staff", NewPerson("grace"), [], CONTRACT.id)

    for ask in ASK.values():
        with pytest.raises(CollectionNotFound):
            await ask(gallery, tenant, enrolled.faces[0].id)

    assert await gallery.list_collections(tenant) == ()
    assert await gallery.statistics(tenant) == Statistics(0, 0, 0)
    assert await gallery.statistics("acme") == Statistics(1, 2, 1)
    assert await gallery.get_person("acme", "staff", "ada") == enrolled.person


async def test_every_operation_on_a_collection_is_asked_for_another_tenant() -> None:
    without_a_collection = {"ping", "statistics", "create_collection", "list_collections"}

    assert set(operations_of(Gallery)) - without_a_collection == set(ASK)


async def test_a_face_of_another_collection_is_not_found_under_this_one(gallery: Gallery) -> None:
    for id in ("here", "there"):
        await gallery.create_collection("acme", collection(id=id))
    enrolled = await gallery.enroll_person("acme", "there", NewPerson("ada"), [face()], CONTRACT.id)
    await gallery.enroll_person("acme", "here", NewPerson("ada"), [], CONTRACT.id)

    from_here = gallery.list_faces("acme", "here", "ada", after=enrolled.faces[0].id)

    assert await from_here == ()
    assert await gallery.delete_faces("acme", "here", "ada", [enrolled.faces[0].id]) == 0


async def test_idempotency_keys_of_tenants_do_not_meet(gallery: Gallery) -> None:
    key = Idempotency("key-1", "request")
    await gallery.create_collection("acme", collection(name="Theirs"), idempotency=key)

    assert (await gallery.create_collection("umbrella", collection(name="Ours"), idempotency=key)).name == "Ours"
