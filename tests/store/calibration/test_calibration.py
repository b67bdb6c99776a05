import asyncio

import numpy as np
import pytest

from store.errors import CalibrationNotFound, CollectionNotFound, InvalidValue
from store.gallery import Gallery
from store.types import Calibration, NewPerson
from tests.store.faces import CONTRACT, collection, face, identities

TENANT = "acme"


async def enrolled(gallery: Gallery, persons: int, photos: int = 2) -> np.ndarray:
    await gallery.create_collection(TENANT, collection())
    embeddings = identities(persons, photos)
    for number, own in enumerate(embeddings):
        await gallery.enroll_person(
            TENANT, "staff", NewPerson(id=f"p{number}"), [face(vector) for vector in own], CONTRACT.id
        )
    return embeddings


async def calibrated(gallery: Gallery, persons: int) -> Calibration:
    calibration = await gallery.start_calibration(TENANT, "staff", persons)
    while calibration.finished_at is None:
        calibration = await gallery.advance_calibration(TENANT, "staff", calibration.id, 1.0)
    return calibration


async def test_a_calibration_finds_the_best_score_of_each_person_over_everybody_else_exactly(gallery: Gallery) -> None:
    embeddings = await enrolled(gallery, persons=30, photos=1)

    calibration = await calibrated(gallery, 100)
    found = await gallery.calibration_scores(TENANT, "staff", calibration.id)

    similarities = embeddings[:, 0] @ embeddings[:, 0].T
    np.fill_diagonal(similarities, -1)
    assert calibration.persons == calibration.persons_sampled == calibration.faces_compared == 30
    assert np.allclose(np.sort(found.strangers), np.sort(similarities.max(axis=1)), atol=1e-6)
    assert np.array_equal(found.strangers[found.partners] >= found.strangers - 1e-6, np.full(30, True))
    assert len(found.members) == 0


async def test_a_calibration_tells_how_well_members_find_another_face_of_their_own(gallery: Gallery) -> None:
    embeddings = await enrolled(gallery, persons=12, photos=2)

    found = await gallery.calibration_scores(TENANT, "staff", (await calibrated(gallery, 12)).id)

    own = np.einsum("nd,nd->n", embeddings[:, 0], embeddings[:, 1])
    assert np.allclose(np.sort(found.members), np.sort(own), atol=1e-6)


async def test_a_sample_is_of_random_persons_and_another_one_of_others(gallery: Gallery) -> None:
    await enrolled(gallery, persons=40, photos=1)

    first, second = [await calibrated(gallery, 10) for _ in range(2)]
    scores = [await gallery.calibration_scores(TENANT, "staff", one.id) for one in (first, second)]

    assert first.persons_sampled == second.persons_sampled == 10
    assert not np.array_equal(np.sort(scores[0].strangers), np.sort(scores[1].strangers))
    assert [one.id for one in await gallery.list_calibrations(TENANT, "staff")] == [second.id, first.id]


async def test_a_calibration_may_be_advanced_by_several_at_once(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store.calibration.advancing.CHUNK", 3)
    embeddings = await enrolled(gallery, persons=20, photos=1)
    calibration = await gallery.start_calibration(TENANT, "staff", 20)

    while calibration.finished_at is None:
        calibration, *_ = await asyncio.gather(
            *(gallery.advance_calibration(TENANT, "staff", calibration.id, 0.0) for _ in range(3))
        )

    found = await gallery.calibration_scores(TENANT, "staff", calibration.id)
    similarities = embeddings[:, 0] @ embeddings[:, 0].T
    np.fill_diagonal(similarities, -1)
    assert calibration.faces_compared == 20
    assert np.allclose(np.sort(found.strangers), np.sort(similarities.max(axis=1)), atol=1e-6)


async def test_a_person_who_is_deleted_leaves_the_calibration(gallery: Gallery) -> None:
    await enrolled(gallery, persons=5)
    calibration = await gallery.start_calibration(TENANT, "staff", 5)

    await gallery.delete_person(TENANT, "staff", "p3")
    calibration = await gallery.advance_calibration(TENANT, "staff", calibration.id, 5.0)

    assert (calibration.persons, calibration.persons_sampled) == (5, 4)
    assert calibration.finished_at is not None


async def test_an_empty_collection_is_calibrated_at_once_and_says_nothing(gallery: Gallery) -> None:
    await gallery.create_collection(TENANT, collection())

    found = await gallery.calibration_scores(TENANT, "staff", (await calibrated(gallery, 5)).id)

    assert len(found.strangers) == len(found.members) == 0


async def test_only_the_newest_calibrations_are_kept(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.calibration.calibration_table.KEPT", 2)
    await enrolled(gallery, persons=2)

    made = [await calibrated(gallery, 2) for _ in range(3)]

    assert [one.id for one in await gallery.list_calibrations(TENANT, "staff")] == [made[2].id, made[1].id]
    with pytest.raises(CalibrationNotFound):
        await gallery.get_calibration(TENANT, "staff", made[0].id)


async def test_calibrations_are_of_one_tenant_and_one_collection(gallery: Gallery) -> None:
    await enrolled(gallery, persons=2)
    calibration = await calibrated(gallery, 2)
    await gallery.create_collection(TENANT, collection(id="others"))

    with pytest.raises(CollectionNotFound):
        await gallery.get_calibration("other", "staff", calibration.id)
    for id in (calibration.id, "no uuid"):
        with pytest.raises(CalibrationNotFound):
            await gallery.get_calibration(TENANT, "others", id)


@pytest.mark.parametrize("persons", [0, -1, 5001])
async def test_the_number_of_sampled_persons_is_bounded(gallery: Gallery, persons: int) -> None:
    await gallery.create_collection(TENANT, collection())

    with pytest.raises(InvalidValue, match="expected 1 to 5000"):
        await gallery.start_calibration(TENANT, "staff", persons)
