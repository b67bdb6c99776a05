"""The signs of embeddings in memory: what they find, and that they never hide what changed."""

import asyncio
import threading
from collections.abc import Awaitable, Callable

import asyncpg
import numpy as np
import pytest

import store.search.searching
import store.search.sign_shelf
from store.gallery import Gallery
from store.search.signs import Signs, signs_of
from store.types import NewPerson
from tests.store.faces import CONTRACT, collection, face, identities

OpenGallery = Callable[..., Awaitable[Gallery]]
FACES = 120


async def enroll(gallery: Gallery, id: str, *vectors: np.ndarray, collection_id: str = "staff") -> None:
    await gallery.enroll_person("acme", collection_id, NewPerson(id), [face(each) for each in vectors], CONTRACT.id)


async def search(gallery: Gallery, probe: np.ndarray, limit: int = 3, id: str = "staff") -> tuple[list[str], bool]:
    """Return the persons found, and whether every face was compared."""
    outcome = await gallery.search("acme", id, CONTRACT.id, probe[None], limit)
    return [candidate.person.id for candidate in outcome.candidates[0]], outcome.is_exact


async def read(gallery: Gallery, id: str = "staff") -> None:
    """Have the gallery read the signs of the collection."""
    await search(gallery, identities(1, 1)[0, 0], id=id)
    await gallery.signs_read()


@pytest.fixture
async def photos() -> np.ndarray:
    return identities(FACES, 2)


@pytest.fixture
async def signed(open_gallery: OpenGallery, photos: np.ndarray) -> Gallery:
    """A gallery that has read the signs of `staff`, whose person `pN` has the first photo of N."""
    gallery = await open_gallery(exact_below=50, sign_faces=1000)
    await gallery.create_collection("acme", collection())
    for number, (photo, _) in enumerate(photos):
        await enroll(gallery, f"p{number}", photo)
    await read(gallery)
    return gallery


def test_nearest_are_those_with_the_fewest_different_signs() -> None:
    embeddings = identities(400, 1)[:, 0]
    signs = Signs.none().joined(
        np.arange(1, 401, dtype=">i8").tobytes(), b"".join(signs_of(each).tobytes() for each in embeddings)
    )
    probe = identities(1, 1, seed=5)[0, 0]

    found = signs.nearest(probe, 20)

    differences = ((embeddings > 0) != (probe > 0)).sum(axis=1)
    np.testing.assert_array_equal(found, np.argsort(differences, kind="stable")[:20] + 1)
    assert len(signs.nearest(probe, 1000)) == 400


def test_what_is_near_is_found_among_many() -> None:
    random = np.random.default_rng(2)
    embeddings = random.standard_normal((60_000, 512), np.float32)  # more than are compared in all their signs
    signs = Signs.none().joined(np.arange(60_000, dtype=">i8").tobytes(), np.packbits(embeddings > 0, axis=1).tobytes())

    for number in range(0, 60_000, 1500):
        photo = embeddings[number] + 1.2 * random.standard_normal(512, np.float32)  # a cosine of about 0.64

        assert signs.nearest(photo, 64)[0] == number


async def test_signs_are_packed_as_pgvector_packs_them(
    signed: Gallery, photos: np.ndarray, connection: asyncpg.Connection
) -> None:
    keys = await connection.fetchrow("select collection_pk, contract_pk from collections")
    signs = signed._signs.get(*keys, FACES)

    assert signs is not None
    words = np.column_stack((signs.first.T, signs.others))
    np.testing.assert_array_equal(words, [signs_of(photo) for photo, _ in photos])
    assert signs.last == signs.keys[-1] == await connection.fetchval("select max(face_pk) from faces")


async def test_a_search_by_signs_finds_whom_an_exact_one_finds(signed: Gallery, photos: np.ndarray) -> None:
    for number in range(0, FACES, 10):
        probe = photos[number, 1]
        exact = await signed.search("acme", "staff", CONTRACT.id, probe[None], 3, exactly=True)

        found, is_exact = await search(signed, probe)

        assert not is_exact
        assert found[0] == exact.candidates[0][0].person.id == f"p{number}"


async def test_several_probes_are_each_answered_for_themselves(signed: Gallery, photos: np.ndarray) -> None:
    outcome = await signed.search("acme", "staff", CONTRACT.id, photos[:7, 1], 2)

    assert [persons[0].person.id for persons in outcome.candidates] == [f"p{number}" for number in range(7)]


async def test_a_face_is_found_from_its_acknowledgement_on(
    signed: Gallery, open_gallery: OpenGallery, photos: np.ndarray
) -> None:
    elsewhere = await open_gallery()
    new = identities(1, 2, seed=9)[0]

    await enroll(elsewhere, "new", new[0])

    assert (await search(signed, new[1]))[0][0] == "new"
    await signed.signs_read()
    assert (await search(signed, new[1]))[0][0] == "new"


async def test_a_face_that_is_gone_is_not_found_and_one_that_moved_is_found_where_it_is(
    signed: Gallery, photos: np.ndarray
) -> None:
    await signed.delete_person("acme", "staff", "p3")
    await signed.merge_person("acme", "staff", "p4", "p5")

    assert "p3" not in (await search(signed, photos[3, 1]))[0]
    assert (await search(signed, photos[4, 1]))[0][0] == "p5"


async def test_signs_of_long_ago_are_not_trusted(
    signed: Gallery, photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.search.searching, "MOST_FRESH", 5)
    new = identities(6, 2, seed=9)
    for number, (photo, _) in enumerate(new):
        await enroll(signed, f"new{number}", photo)

    found, is_exact = await search(signed, new[5, 1])

    assert found[0] == "new5"
    assert is_exact  # there is no index either


async def test_more_persons_than_candidates_are_found_by_looking_deeper(
    signed: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.search.searching, "SIGNED_CANDIDATES", 1)
    await signed.reconfigure(rerank=1)
    crowd = identities(1, 19, seed=11)[0]
    await enroll(signed, "crowd", *crowd)
    await read(signed)

    found, _ = await search(signed, crowd[0], limit=3)

    assert found[0] == "crowd"
    assert len(found) == 3


async def test_signs_are_kept_for_as_many_faces_as_is_said(
    signed: Gallery, photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed.create_collection("acme", collection(id="guests"))
    for number, (photo, _) in enumerate(photos[:60]):
        await enroll(signed, f"g{number}", photo, collection_id="guests")
    await signed.reconfigure(sign_faces=FACES)

    await read(signed, "guests")

    assert (await search(signed, photos[7, 1], id="guests"))[1]  # there is no room beside the one in use
    assert not (await search(signed, photos[7, 1]))[1]

    monkeypatch.setattr(store.search.sign_shelf, "IN_USE_S", 0.0)
    await read(signed, "guests")

    assert not (await search(signed, photos[7, 1], id="guests"))[1]
    assert (await search(signed, photos[7, 1]))[1]  # the other one made room

    await signed.reconfigure(sign_faces=0)

    assert (await search(signed, photos[7, 1], id="guests"))[1]


async def test_a_collection_below_the_threshold_is_compared_in_full_whatever_is_kept(
    signed: Gallery, photos: np.ndarray
) -> None:
    await signed.reconfigure(exact_below=FACES)
    at_the_threshold = await search(signed, photos[7, 1])
    await signed.reconfigure(exact_below=FACES + 1)
    below = await search(signed, photos[7, 1])

    assert (at_the_threshold[1], below[1]) == (False, True)


async def test_no_connection_is_held_while_signs_are_compared(
    signed: Gallery, open_gallery: OpenGallery, photos: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = await open_gallery(exact_below=50, sign_faces=1000, max_connections=1)
    await read(gallery)
    compare, may_end, has_begun = Signs.nearest, threading.Event(), threading.Event()

    def nearest(signs: Signs, probe: np.ndarray, count: int) -> np.ndarray:
        has_begun.set()
        assert may_end.wait(20)
        return compare(signs, probe, count)

    monkeypatch.setattr(Signs, "nearest", nearest)

    searching = asyncio.create_task(search(gallery, photos[7, 1]))
    assert await asyncio.to_thread(has_begun.wait, 20)
    person = await gallery.get_person("acme", "staff", "p7")  # over the only connection
    is_under_way = not searching.done()
    may_end.set()

    assert (person.id, is_under_way) == ("p7", True)
    assert (await searching)[0][0] == "p7"


async def test_a_search_by_signs_names_each_near_face(signed: Gallery, photos: np.ndarray) -> None:
    await enroll(signed, "twice", photos[3, 0], photos[3, 1])
    await read(signed)

    outcome = await signed.search("acme", "staff", CONTRACT.id, photos[3, 1][None], 3, by="face")

    assert not outcome.is_exact
    assert outcome.candidates[0][0].person.id == "twice"
    assert {candidate.person.id for candidate in outcome.candidates[0]} == {"twice", "p3"}
