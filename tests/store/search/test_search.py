import pickle
from collections.abc import Awaitable, Callable

import asyncpg
import numpy as np
import numpy.typing as npt
import pytest

from store.database.pool import Database, PoolSettings
from store.errors import CollectionModelMismatch, CollectionNotFound, InvalidValue, PersonNotFound
from store.gallery import Gallery
from store.search.searching import SearchSettings, search_collection
from store.types import Candidate, NewPerson
from tests.store.faces import CONTRACT, OTHER_CONTRACT, collection, embedding, face, identities, normalised

Embeddings = npt.NDArray[np.float32]


async def fill(gallery: Gallery, photos: Embeddings, id: str = "staff") -> None:
    """Enrol person `pNNN` with each of `photos`, (persons, photos, 512)."""
    await gallery.create_collection("acme", collection(id=id, max_faces_per_person=1000))
    for number, vectors in enumerate(photos):
        faces = [face(vector) for vector in vectors]
        await gallery.enroll_person("acme", id, NewPerson(f"p{number:03}"), faces, CONTRACT.id)


def brute_force(photos: Embeddings, probe: Embeddings, limit: int) -> list[tuple[str, float]]:
    """Persons by the cosine of their best photo."""
    best = (photos.astype(np.float64) @ probe.astype(np.float64)).max(axis=1)  # (persons,)
    nearest = np.argsort(-best)[:limit]
    return [(f"p{number:03}", best[number]) for number in nearest]


def similarities(candidates: tuple[Candidate, ...]) -> list[float]:
    return [candidate.similarity for candidate in candidates]


def persons(candidates: tuple[Candidate, ...]) -> list[str]:
    return [candidate.person.id for candidate in candidates]


async def test_a_search_equals_brute_force_over_all_faces(gallery: Gallery) -> None:
    photos = identities(60, 4)
    await fill(gallery, photos[:, :3])
    probes = photos[:5, 3]

    outcome = await gallery.search("acme", "staff", CONTRACT.id, probes, 10)

    assert outcome.is_exact
    assert outcome.threshold == 0.4
    for probe, candidates in zip(probes, outcome.candidates, strict=True):
        expected = brute_force(photos[:, :3], probe, 10)
        assert persons(candidates) == [id for id, _ in expected]
        assert similarities(candidates) == pytest.approx([similarity for _, similarity in expected], abs=1e-6)


async def test_a_genuine_probe_finds_its_person_with_a_face_like_similarity(gallery: Gallery) -> None:
    photos = identities(20, 3)
    await fill(gallery, photos[:, :2])

    outcome = await gallery.search("acme", "staff", CONTRACT.id, photos[:, 2], 2)

    for number, (best, runner_up) in enumerate(outcome.candidates):
        assert best.person.id == f"p{number:03}"
        assert 0.5 < best.similarity < 0.75
        assert runner_up.similarity < 0.3


async def test_the_best_face_of_a_person_is_the_one_reported(gallery: Gallery) -> None:
    photos = identities(3, 4)
    await fill(gallery, photos)
    faces = await gallery.list_faces("acme", "staff", "p001")

    outcome = await gallery.search("acme", "staff", CONTRACT.id, photos[1, 2:3], 3)

    best = outcome.candidates[0][0]
    assert best.face_id == faces[2].id
    assert best.similarity == pytest.approx(1.0, abs=1e-6)
    assert best.person == await gallery.get_person("acme", "staff", "p001")
    assert len(set(persons(outcome.candidates[0]))) == 3


async def test_many_faces_of_one_person_do_not_hide_the_others(
    open_gallery: Callable[..., Awaitable[Gallery]],
) -> None:
    gallery = await open_gallery(rerank=10)
    photos = identities(12, 60)
    await fill(gallery, photos[:1])
    for number, vectors in enumerate(photos[1:], start=1):
        await gallery.enroll_person("acme", "staff", NewPerson(f"p{number:03}"), [face(vectors[0])], CONTRACT.id)

    outcome = await gallery.search("acme", "staff", CONTRACT.id, photos[0, :2], 8)

    for candidates in outcome.candidates:
        assert len(candidates) == 8
        assert candidates[0].person.id == "p000"
        assert similarities(candidates) == sorted(similarities(candidates), reverse=True)


async def test_equal_faces_are_ordered_by_who_was_enrolled_first(gallery: Gallery) -> None:
    same = embedding(5)
    await gallery.create_collection("acme", collection())
    for id in ("zoe", "adam", "mia"):
        await gallery.enroll_person("acme", "staff", NewPerson(id), [face(same), face(same)], CONTRACT.id)

    outcomes = [await gallery.search("acme", "staff", CONTRACT.id, same[None], 3) for _ in range(3)]

    assert [persons(outcome.candidates[0]) for outcome in outcomes] == [["zoe", "adam", "mia"]] * 3
    assert len({outcome.candidates[0][0].face_id for outcome in outcomes}) == 1


async def test_an_opposite_probe_has_similarity_minus_one(gallery: Gallery) -> None:
    await fill(gallery, identities(1, 1))

    outcome = await gallery.search("acme", "staff", CONTRACT.id, -identities(1, 1)[0], 1)

    assert outcome.candidates[0][0].similarity == pytest.approx(-1.0, abs=1e-6)


async def test_a_person_can_be_left_out(gallery: Gallery) -> None:
    photos = identities(5, 2)
    await fill(gallery, photos)
    probe = photos[2, :1]

    async def found(excluded: str | None) -> list[str]:
        outcome = await gallery.search("acme", "staff", CONTRACT.id, probe, 5, exclude_person=excluded)
        return persons(outcome.candidates[0])

    everybody = await found(None)
    assert everybody[0] == "p002"
    assert await found("p002") == everybody[1:]
    assert await found("nobody") == everybody
    assert await found("with\x00nul") == everybody


async def test_an_empty_collection_has_no_candidates(gallery: Gallery) -> None:
    await gallery.create_collection("acme", collection())

    outcome = await gallery.search("acme", "staff", CONTRACT.id, identities(3, 1)[:, 0], 5)

    assert outcome.candidates == ((), (), ())


async def test_without_probes_there_are_no_answers(gallery: Gallery) -> None:
    await fill(gallery, identities(1, 1))

    outcome = await gallery.search("acme", "staff", CONTRACT.id, np.empty((0, 512), np.float32), 5)

    assert outcome.candidates == ()


async def test_a_probe_of_another_contract_is_refused(gallery: Gallery) -> None:
    await fill(gallery, identities(1, 1))

    with pytest.raises(CollectionModelMismatch):
        await gallery.search("acme", "staff", OTHER_CONTRACT.id, identities(1, 1)[0], 5)
    with pytest.raises(CollectionModelMismatch):
        await gallery.verify("acme", "staff", "p000", OTHER_CONTRACT.id, embedding(1)[None])


async def test_a_search_needs_a_collection_and_a_limit(gallery: Gallery) -> None:
    await fill(gallery, identities(1, 1))

    with pytest.raises(CollectionNotFound):
        await gallery.search("acme", "nowhere", CONTRACT.id, identities(1, 1)[0], 5)
    with pytest.raises(InvalidValue):
        await gallery.search("acme", "staff", CONTRACT.id, identities(1, 1)[0], 0)


async def test_collections_do_not_see_each_others_faces(gallery: Gallery) -> None:
    photos = identities(4, 2)
    await fill(gallery, photos[:2], "here")
    await fill(gallery, photos[2:], "there")

    outcome = await gallery.search("acme", "here", CONTRACT.id, photos[2:, 0], 10)

    assert [persons(candidates) for candidates in outcome.candidates] != []
    for candidates in outcome.candidates:
        assert len(candidates) == 2
        assert max(similarities(candidates)) < 0.3


async def test_verify_answers_with_the_best_face_of_the_person(gallery: Gallery) -> None:
    photos = identities(2, 4)
    await fill(gallery, photos[:, :3])
    faces = await gallery.list_faces("acme", "staff", "p000")
    expected = photos[0, :3] @ photos[0, 3]

    verified = await gallery.verify("acme", "staff", "p000", CONTRACT.id, photos[:, 3])

    assert (verified.threshold, verified.person.id) == (0.4, "p000")
    genuine, impostor = verified.nearest
    assert genuine is not None and impostor is not None
    assert genuine.similarity == pytest.approx(expected.max(), abs=1e-6)
    assert genuine.face_id == faces[int(expected.argmax())].id
    assert impostor.similarity < 0.3
    with pytest.raises(PersonNotFound):
        await gallery.verify("acme", "staff", "nobody", CONTRACT.id, photos[:, 3])


async def test_verify_without_probes_finds_the_person_alone(gallery: Gallery) -> None:
    await fill(gallery, identities(1, 1))

    verified = await gallery.verify("acme", "staff", "p000", CONTRACT.id, np.zeros((0, 512), np.float32))

    assert (verified.person.id, verified.nearest) == ("p000", ())


async def test_probes_need_only_be_of_length_one_to_half_precision(gallery: Gallery) -> None:
    photos = identities(2, 1)
    await fill(gallery, photos)
    rounded = normalised(photos[0]).astype(np.float16).astype(np.float32)

    outcome = await gallery.search("acme", "staff", CONTRACT.id, rounded, 1)

    assert outcome.candidates[0][0].similarity == pytest.approx(1.0, abs=1e-4)


async def test_a_person_whom_several_probes_look_like_is_sent_once(gallery: Gallery) -> None:
    photos = identities(3, 1)
    await gallery.create_collection("acme", collection())
    for number, vectors in enumerate(photos):
        person = NewPerson(f"p{number:03}", metadata={"note": "x" * 10_000})
        await gallery.enroll_person("acme", "staff", person, [face(vectors[0])], CONTRACT.id)

    outcome = await gallery.search("acme", "staff", CONTRACT.id, photos[:, 0], 3)

    assert [sorted(persons(each)) for each in outcome.candidates] == [["p000", "p001", "p002"]] * 3
    assert len(pickle.dumps(outcome)) < 40_000  # nine candidates, three persons


@pytest.mark.parametrize("exactly", [True, False])
async def test_a_search_by_face_names_each_near_face(gallery: Gallery, exactly: bool) -> None:
    photos = identities(6, 4)
    await fill(gallery, photos[:, :3])
    probe = photos[2, 3]

    (by_face,) = (
        await gallery.search("acme", "staff", CONTRACT.id, probe[None], 4, by="face", exactly=exactly)
    ).candidates
    (all_faces,) = (await gallery.search("acme", "staff", CONTRACT.id, probe[None], 100, by="face")).candidates
    (others,) = (
        await gallery.search("acme", "staff", CONTRACT.id, probe[None], 4, by="face", exclude_person="p002")
    ).candidates

    expected = np.sort(photos[:, :3].reshape(-1, 512) @ probe)[::-1]
    assert persons(by_face)[:3] == ["p002"] * 3
    assert len({candidate.face_id for candidate in by_face}) == 4
    assert similarities(by_face) == pytest.approx(expected[:4], abs=1e-6)
    assert similarities(all_faces) == pytest.approx(expected, abs=1e-6)
    assert "p002" not in persons(others)


async def test_collections_share_the_statements_that_a_connection_has_planned(
    url: str, gallery: Gallery, connection: asyncpg.Connection
) -> None:
    for id in ("staff", "guests", "visitors"):
        await fill(gallery, identities(2, 1), id=id)
    database = await Database.open(url, PoolSettings(1, 1))
    try:
        for id in ("staff", "guests", "visitors"):
            await search_collection(
                database,
                "acme",
                id,
                CONTRACT.id,
                embedding(1)[None],
                limit=1,
                by="person",
                exclude_person=None,
                settings=SearchSettings(),
                exactly=False,
                find_signs=lambda *_: None,
            )
        planned = await database.read(
            lambda session: session.fetchval(
                "select count(*) from pg_prepared_statements where statement like '%candidates as materialized%'"
                " and statement not like '%pg_prepared_statements%'"
            )
        )
    finally:
        await database.close()

    assert planned == 1
