import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from store.errors import IdempotencyKeyReused, InvalidValue, OutcomeUnreadable, PersonExists, PersonNotFound
from store.gallery import Gallery
from store.tables.idempotency import purge_keys
from store.types import Collection, Idempotency, NewPerson, Replay
from tests.store.faces import CONTRACT, collection, face

KEY = Idempotency("key-1", "fingerprint", "note")


@pytest.fixture
async def staff(gallery: Gallery) -> AsyncIterator[Gallery]:
    """A gallery with `staff`, where Ada has two faces and Grace one."""
    await gallery.create_collection("acme", collection())
    await gallery.enroll_person("acme", "staff", NewPerson("ada"), [face(seed=1), face(seed=2)], CONTRACT.id)
    await gallery.enroll_person("acme", "staff", NewPerson("grace"), [face(seed=3)], CONTRACT.id)
    yield gallery


Write = Callable[[Gallery, str], Awaitable[Any]]
WRITES: dict[str, Write] = {
    "create_collection": lambda g, f: g.create_collection("acme", collection(id="vip"), idempotency=KEY),
    "update_collection": lambda g, f: g.update_collection("acme", "staff", {"name": "x"}, idempotency=KEY),
    "delete_collection": lambda g, f: g.delete_collection("acme", "staff", force=True, idempotency=KEY),
    "enroll_person": lambda g, f: g.enroll_person(
        "acme", "staff", NewPerson(name="Eve", metadata={"a": 1}), [face(seed=7)], CONTRACT.id, idempotency=KEY
    ),
    "update_person": lambda g, f: g.update_person("acme", "staff", "ada", {"name": "x"}, idempotency=KEY),
    "delete_person": lambda g, f: g.delete_person("acme", "staff", "ada", idempotency=KEY),
    "merge_person": lambda g, f: g.merge_person("acme", "staff", "grace", "ada", idempotency=KEY),
    "add_faces": lambda g, f: g.add_faces("acme", "staff", "ada", [face(seed=7)], CONTRACT.id, idempotency=KEY),
    "delete_face": lambda g, f: g.delete_face("acme", "staff", "ada", f, idempotency=KEY),
    "delete_faces": lambda g, f: g.delete_faces("acme", "staff", "ada", None, idempotency=KEY),
    "move_face": lambda g, f: g.move_face("acme", "staff", "ada", f, "grace", idempotency=KEY),
}


@pytest.mark.parametrize("operation", WRITES)
async def test_a_repeated_write_returns_the_first_outcome_and_writes_once(staff: Gallery, operation: str) -> None:
    id = (await staff.list_faces("acme", "staff", "ada"))[0].id

    first = await WRITES[operation](staff, id)
    after_first = await staff.statistics("acme")
    second = await WRITES[operation](staff, id)

    assert second == first
    assert await staff.statistics("acme") == after_first
    assert await staff.prepare_enrollment("acme", "staff", idempotency=KEY) == Replay(first, "note")


async def test_writes_at_the_same_time_under_one_key_happen_once(staff: Gallery) -> None:
    async def enroll() -> Any:
        return await staff.enroll_person("acme", "staff", NewPerson(), [face()], CONTRACT.id, idempotency=KEY)

    outcomes = await asyncio.gather(*(enroll() for _ in range(6)))

    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert (await staff.statistics("acme")).persons == 3


async def test_a_key_is_not_for_two_requests(staff: Gallery) -> None:
    await staff.create_collection("acme", collection(id="vip"), idempotency=KEY)
    other = Idempotency(KEY.key, "another fingerprint")

    with pytest.raises(IdempotencyKeyReused):
        await staff.create_collection("acme", collection(id="guests"), idempotency=other)
    with pytest.raises(IdempotencyKeyReused):
        await staff.prepare_enrollment("acme", "staff", idempotency=other)

    assert (await staff.statistics("acme")).collections == 2


async def test_a_failed_write_leaves_no_key(staff: Gallery) -> None:
    with pytest.raises(PersonExists):
        await staff.enroll_person("acme", "staff", NewPerson("ada"), [], CONTRACT.id, idempotency=KEY)

    assert isinstance(await staff.prepare_enrollment("acme", "staff", idempotency=KEY), Collection)
    enrolled = await staff.enroll_person("acme", "staff", NewPerson("eve"), [], CONTRACT.id, idempotency=KEY)
    assert enrolled.person.id == "eve"


async def test_a_write_waits_for_a_failing_one_under_its_key_and_then_runs(staff: Gallery) -> None:
    attempts = [
        staff.enroll_person("acme", "staff", NewPerson(id), [], CONTRACT.id, idempotency=KEY)
        for id in ("ada", "eve", "ada", "eve")
    ]

    outcomes = await asyncio.gather(*attempts, return_exceptions=True)

    done = [outcome for outcome in outcomes if not isinstance(outcome, PersonExists)]
    assert done
    assert all(outcome == done[0] for outcome in done)
    assert (await staff.statistics("acme")).persons == 3


async def test_an_unused_key_has_nothing_to_replay(staff: Gallery) -> None:
    for key in (KEY, Idempotency("with\x00nul", "f")):
        assert isinstance(await staff.prepare_enrollment("acme", "staff", idempotency=key), Collection)
    with pytest.raises(InvalidValue):
        await staff.delete_person("acme", "staff", "ada", idempotency=Idempotency("with\x00nul", "f"))


async def test_keys_are_forgotten_after_a_day(staff: Gallery, connection: asyncpg.Connection) -> None:
    await staff.delete_person("acme", "staff", "ada", idempotency=KEY)
    await staff.delete_person("acme", "staff", "grace", idempotency=Idempotency("key-2", "fingerprint"))
    await connection.execute(
        "update idempotency_keys set created_at = now() - interval '25 hours' where key = $1", KEY.key
    )

    assert await purge_keys(connection) == 1

    assert isinstance(await staff.prepare_enrollment("acme", "staff", idempotency=KEY), Collection)
    kept = Idempotency("key-2", "fingerprint")
    assert isinstance(await staff.prepare_enrollment("acme", "staff", idempotency=kept), Replay)


async def test_an_enrolment_is_prepared_for_a_person_who_is_there(staff: Gallery) -> None:
    prepared = await staff.prepare_enrollment("acme", "staff", person="ada")

    assert prepared == await staff.get_collection("acme", "staff")
    with pytest.raises(PersonNotFound):
        await staff.prepare_enrollment("acme", "staff", person="nobody")


async def test_what_was_enrolled_is_answered_also_when_person_and_collection_are_gone(staff: Gallery) -> None:
    first = await staff.add_faces("acme", "staff", "ada", [face()], CONTRACT.id, idempotency=KEY)
    await staff.delete_collection("acme", "staff", force=True)

    prepared = await staff.prepare_enrollment("acme", "staff", person="ada", idempotency=KEY)

    assert prepared == Replay(first, KEY.note)


@pytest.mark.parametrize("outcome", ['{"kind": "person", "value": {"id": "ada"}}', '{"kind": "poem", "value": 1}'])
async def test_an_outcome_that_another_release_wrote_is_carried_out_and_not_repeated(
    staff: Gallery, connection: asyncpg.Connection, outcome: str
) -> None:
    await staff.update_person("acme", "staff", "ada", {"name": "x"}, idempotency=KEY)
    await connection.execute("update idempotency_keys set outcome = $1", outcome)

    with pytest.raises(OutcomeUnreadable):
        await staff.update_person("acme", "staff", "ada", {"name": "x"}, idempotency=KEY)
    with pytest.raises(OutcomeUnreadable):
        await staff.prepare_enrollment("acme", "staff", idempotency=KEY)
