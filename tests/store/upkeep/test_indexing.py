import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import numpy as np
import numpy.typing as npt
import pytest

from store.gallery import Gallery
from store.search.statements import search_exactly, search_indexed
from store.types import NewPerson
from store.upkeep.indexing import KEEPER_LOCK, IndexKeeper
from tests.store.faces import CONTRACT, collection, face, identities, normalised
from tests.store.waiting import eventually

PERSONS, PHOTOS = 110, 3
EXACT_BELOW = 300


@pytest.fixture(scope="session")
def photos() -> npt.NDArray[np.float32]:
    """Of each person three photos to enrol and one to probe with, (persons, 4, 512)."""
    return identities(PERSONS, PHOTOS + 1)


@pytest.fixture
async def staff(open_gallery: Callable[..., Awaitable[Gallery]], photos: npt.NDArray[np.float32]) -> Gallery:
    """A gallery with 330 faces in `staff` and 1 in `small`, where 300 make a large collection."""
    gallery = await open_gallery(exact_below=EXACT_BELOW)
    for id in ("staff", "small"):
        await gallery.create_collection("acme", collection(id=id))
    for number, vectors in enumerate(photos[:, :PHOTOS]):
        faces = [face(vector) for vector in vectors]
        await gallery.enroll_person("acme", "staff", NewPerson(f"p{number:03}"), faces, CONTRACT.id)
    await gallery.enroll_person("acme", "small", NewPerson("ada"), [face()], CONTRACT.id)
    return gallery


@pytest.fixture
async def keeper(url: str, staff: Gallery) -> AsyncIterator[IndexKeeper]:
    opened = IndexKeeper(url, lambda: staff.settings)
    yield opened
    await opened.close()


async def keys_of(connection: asyncpg.Connection, id: str = "staff") -> tuple[int, int]:
    row = await connection.fetchrow("select collection_pk, contract_pk from collections where id = $1", id)
    return row["collection_pk"], row["contract_pk"]


async def scans_of(connection: asyncpg.Connection, index: str) -> int:
    await connection.execute("select pg_stat_clear_snapshot()")
    return await connection.fetchval("select idx_scan from pg_stat_user_indexes where indexrelname = $1", index)


async def test_a_large_collection_gets_an_index_and_a_small_one_none(staff: Gallery, keeper: IndexKeeper) -> None:
    kept = await keeper.run_once()

    assert len(kept.built) == 1
    assert (await staff.get_collection("acme", "staff")).index_state == "ready"
    assert (await staff.get_collection("acme", "small")).index_state == "exact"
    again = await keeper.run_once()
    assert (again.is_keeper, again.built, again.dropped) == (True, (), ())


async def test_the_indexed_tier_finds_whom_the_exact_tier_finds(
    staff: Gallery, keeper: IndexKeeper, photos: npt.NDArray[np.float32]
) -> None:
    probes = photos[:20, PHOTOS]
    exact = await staff.search("acme", "staff", CONTRACT.id, probes, 5)

    await keeper.run_once()
    indexed = await staff.search("acme", "staff", CONTRACT.id, probes, 5)

    assert (exact.is_exact, indexed.is_exact) == (True, False)
    for number, (from_exact, from_index) in enumerate(zip(exact.candidates, indexed.candidates, strict=True)):
        assert from_index[0].person.id == f"p{number:03}"
        assert from_index[0] == from_exact[0]  # re-ranked by the exact distance: the similarity is the same float
        assert len(from_index) == 5


async def test_a_search_in_the_indexed_tier_reads_the_index(
    staff: Gallery, keeper: IndexKeeper, connection: asyncpg.Connection, photos: npt.NDArray[np.float32]
) -> None:
    (index,) = (await keeper.run_once()).built
    sql = search_indexed("person", *await keys_of(connection))
    probe = str(photos[0, PHOTOS].tolist())

    await connection.execute("set plan_cache_mode = force_generic_plan")
    await connection.execute(f"prepare search (vector[], bigint, bigint, text, bigint) as {sql}")
    plan = await connection.fetch(f"explain execute search (array['{probe}']::vector[], 100, 5, null, 1)")

    assert any(f"Index Scan using {index}" in row[0] for row in plan)
    await staff.search("acme", "staff", CONTRACT.id, photos[:2, PHOTOS], 5)
    await staff.close()  # a session reports what it did when it ends
    await eventually(lambda: scans_of(connection, index))


async def test_an_exact_search_never_reads_an_hnsw_index(
    staff: Gallery, keeper: IndexKeeper, connection: asyncpg.Connection, photos: npt.NDArray[np.float32]
) -> None:
    await keeper.run_once()
    sql = search_exactly("person")
    probe = str(photos[0, PHOTOS].tolist())

    await connection.execute(f"prepare search (vector[], bigint, bigint, text, bigint, integer) as {sql}")
    keys = "{}, {}".format(*await keys_of(connection))
    plan = await connection.fetch(f"explain execute search (array['{probe}']::vector[], 100, 5, null, {keys})")

    assert not any("hnsw" in row[0] for row in plan)


async def test_few_persons_with_many_faces_are_all_found_through_the_index(
    staff: Gallery, keeper: IndexKeeper, photos: npt.NDArray[np.float32]
) -> None:
    await keeper.run_once()
    await staff.reconfigure(ef_search=10, rerank=10)

    outcome = await staff.search("acme", "staff", CONTRACT.id, photos[:3, PHOTOS], 60)

    assert [len(candidates) for candidates in outcome.candidates] == [60, 60, 60]


async def test_faces_added_and_deleted_after_the_build_are_found_and_gone(staff: Gallery, keeper: IndexKeeper) -> None:
    await keeper.run_once()
    new = face(seed=4711)
    await staff.enroll_person("acme", "staff", NewPerson("eve"), [new], CONTRACT.id)

    found = await staff.search("acme", "staff", CONTRACT.id, new.embedding[None], 1)
    await staff.delete_person("acme", "staff", "eve")
    gone = await staff.search("acme", "staff", CONTRACT.id, new.embedding[None], 1)

    assert (found.is_exact, gone.is_exact) == (False, False)
    assert found.candidates[0][0].person.id == "eve"
    assert gone.candidates[0][0].person.id != "eve"


async def test_a_collection_that_shrank_a_little_keeps_its_index_and_one_that_shrank_much_loses_it(
    staff: Gallery, keeper: IndexKeeper
) -> None:
    (index,) = (await keeper.run_once()).built

    for number in range(30):
        await staff.delete_person("acme", "staff", f"p{number:03}")  # 240 faces are left
    after_a_few = await keeper.run_once()
    for number in range(30, 61):
        await staff.delete_person("acme", "staff", f"p{number:03}")  # 147 faces are left
    after_many = await keeper.run_once()

    assert (after_a_few.built, after_a_few.dropped) == ((), ())
    assert (after_many.built, after_many.dropped) == ((), (index,))
    assert (await staff.get_collection("acme", "staff")).index_state == "exact"


async def test_a_higher_threshold_makes_searches_exact_at_once(
    staff: Gallery, keeper: IndexKeeper, photos: npt.NDArray[np.float32]
) -> None:
    (index,) = (await keeper.run_once()).built

    await staff.reconfigure(exact_below=1000)
    outcome = await staff.search("acme", "staff", CONTRACT.id, photos[:1, PHOTOS], 1)

    assert outcome.is_exact
    assert (await keeper.run_once()).dropped == (index,)


async def test_an_invalid_index_is_not_used_and_built_anew(
    staff: Gallery, keeper: IndexKeeper, connection: asyncpg.Connection, photos: npt.NDArray[np.float32]
) -> None:
    (index,) = (await keeper.run_once()).built
    await connection.execute(
        "update pg_index set indisvalid = false where indexrelid = $1::text::regclass", index
    )  # what a build that was killed leaves

    assert (await staff.get_collection("acme", "staff")).index_state == "building"
    assert (await staff.search("acme", "staff", CONTRACT.id, photos[:1, PHOTOS], 1)).is_exact
    kept = await keeper.run_once()

    assert (kept.dropped, kept.built) == ((index,), (index,))
    assert (await staff.get_collection("acme", "staff")).index_state == "ready"


async def test_one_keeper_works_at_a_time(keeper: IndexKeeper, connection: asyncpg.Connection) -> None:
    await connection.execute("select pg_advisory_lock($1)", KEEPER_LOCK)
    beside = await keeper.run_once()
    await connection.execute("select pg_advisory_unlock($1)", KEEPER_LOCK)
    after = await keeper.run_once()

    assert (beside.is_keeper, beside.built) == (False, ())
    assert (after.is_keeper, len(after.built)) == (True, 1)


async def test_the_index_of_a_deleted_collection_is_dropped(staff: Gallery, keeper: IndexKeeper) -> None:
    (index,) = (await keeper.run_once()).built
    await staff.delete_collection("acme", "staff", force=True)

    assert (await keeper.run_once()).dropped == (index,)


async def test_a_keeper_runs_until_it_is_cancelled(
    url: str, staff: Gallery, keeper: IndexKeeper, connection: asyncpg.Connection
) -> None:
    running = asyncio.create_task(IndexKeeper(url, lambda: staff.settings, interval_s=0.01).run())

    async def is_indexed() -> bool:
        return (await staff.get_collection("acme", "staff")).index_state == "ready"

    async def has_left() -> bool:
        return not await connection.fetchval(
            """
            select count(*) from pg_stat_activity
            where application_name = 'faceserve index keeper' and datname = current_database()
            """
        )

    await eventually(is_indexed)
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    await eventually(has_left)


async def test_searches_and_writes_go_on_while_an_index_is_built(
    staff: Gallery, keeper: IndexKeeper, photos: npt.NDArray[np.float32]
) -> None:
    building = asyncio.create_task(keeper.run_once())
    number = 0
    while not building.done():
        vector = normalised(photos[0, 0] + photos[number % PERSONS, 1])
        await staff.enroll_person("acme", "staff", NewPerson(f"new{number}"), [face(vector)], CONTRACT.id)
        found = await staff.search("acme", "staff", CONTRACT.id, vector[None], 1)
        assert found.candidates[0][0].person.id == f"new{number}"
        number += 1

    assert len((await building).built) == 1
    assert number > 0
