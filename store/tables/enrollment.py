"""Writes that change whose faces are whose. They keep the counts and enforce the limits of the locked collection."""

from collections.abc import Sequence

from store.database.driver import Connection, Row
from store.errors import CollectionCapacityExceeded, InvalidValue, PersonFaceLimitExceeded
from store.tables import collection_table, face_table, person_table
from store.tables.idempotency import find_outcome
from store.tables.rows import collection_from, contract_from, face_from, person_from
from store.types import Collection, Enrollment, FaceRecord, Idempotency, NewFace, NewPerson, Person, Replay


async def prepare(
    connection: Connection, tenant: str, collection_id: str, person_id: str | None, idempotency: Idempotency | None
) -> Collection | Replay:
    """Return the collection, or what an enrolment under the key already did.

    Raises IdempotencyKeyReused, and PersonNotFound for a `person_id` that is not there.
    """
    replay = None if idempotency is None else await find_outcome(connection, tenant, idempotency)
    if replay is not None:
        return replay
    collection = await collection_table.find(connection, tenant, collection_id)
    if person_id is not None:
        await person_table.find(connection, collection, person_id)
    return collection_from(collection)


async def enroll_person(
    connection: Connection, tenant: str, collection_id: str, new: NewPerson, faces: Sequence[NewFace], contract_id: str
) -> Enrollment:
    """Create the person with these faces. Raises PersonExists, ExternalIdExists, and as `add_faces`."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    _require_room(collection, contract_id, person_faces=0, added=len(faces))
    person = await person_table.create(connection, collection, new, len(faces))
    records = await face_table.insert(connection, collection, [person["person_pk"]] * len(faces), faces)
    await collection_table.count(connection, collection["collection_pk"], persons=1, faces=len(faces))
    return Enrollment(person_from(person), records)


async def add_faces(
    connection: Connection, tenant: str, collection_id: str, person_id: str, faces: Sequence[NewFace], contract_id: str
) -> tuple[FaceRecord, ...]:
    """Add faces to the person.

    Raises CollectionModelMismatch, CollectionCapacityExceeded, PersonFaceLimitExceeded.
    """
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    _require_room(collection, contract_id, person_faces=person["face_count"], added=len(faces))
    records = await face_table.insert(connection, collection, [person["person_pk"]] * len(faces), faces)
    await person_table.count_faces(connection, person["person_pk"], len(faces))
    await collection_table.count(connection, collection["collection_pk"], faces=len(faces))
    return records


async def delete_person(connection: Connection, tenant: str, collection_id: str, id: str) -> None:
    """Delete the person with all faces."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, id)
    await person_table.delete(connection, person["person_pk"])
    await collection_table.count(connection, collection["collection_pk"], faces=-person["face_count"])
    await _count_one_less(connection, collection, person)


async def merge_person(
    connection: Connection, tenant: str, collection_id: str, source_id: str, target_id: str
) -> Person:
    """Give all faces of the source to the target and delete the source; return the target.

    Raises PersonFaceLimitExceeded, InvalidValue for a person merged into itself.
    """
    collection = await collection_table.lock(connection, tenant, collection_id)
    source = await person_table.find(connection, collection, source_id)
    target = await person_table.find(connection, collection, target_id)
    if source["person_pk"] == target["person_pk"]:
        raise InvalidValue("target", "a person cannot be merged into itself")
    _require_face_limit(collection, source["face_count"] + target["face_count"])
    await face_table.give_all(connection, source["person_pk"], target["person_pk"])
    await person_table.count_faces(connection, target["person_pk"], source["face_count"])
    await person_table.delete(connection, source["person_pk"])
    await _count_one_less(connection, collection, source)
    return person_from(await person_table.find(connection, collection, target_id))


async def delete_face(connection: Connection, tenant: str, collection_id: str, person_id: str, id: str) -> None:
    """Delete the face. Raises FaceNotFound."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    await face_table.find(connection, person, id)
    await _delete_faces(connection, collection, person, [id])


async def delete_faces(
    connection: Connection, tenant: str, collection_id: str, person_id: str, ids: Sequence[str] | None
) -> int:
    """Delete these faces of the person, or all for None; return how many there were. Unknown ids are passed over."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    return await _delete_faces(connection, collection, person, ids)


async def move_face(
    connection: Connection, tenant: str, collection_id: str, person_id: str, id: str, to_person_id: str
) -> FaceRecord:
    """Give the face to another person of the collection. Raises PersonFaceLimitExceeded."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    source = await person_table.find(connection, collection, person_id)
    target = await person_table.find(connection, collection, to_person_id)
    face = await face_table.find(connection, source, id)
    if source["person_pk"] != target["person_pk"]:
        _require_face_limit(collection, target["face_count"] + 1)
        await face_table.give(connection, face["face_pk"], target["person_pk"])
        await person_table.count_faces(connection, source["person_pk"], -1)
        await person_table.count_faces(connection, target["person_pk"], 1)
    return face_from(await face_table.find(connection, target, id), contract_from(collection))


async def _count_one_less(connection: Connection, collection: Row, person: Row) -> None:
    kind = "anonymous" if person["is_anonymous"] else "persons"
    await collection_table.count(connection, collection["collection_pk"], **{kind: -1})


async def _delete_faces(connection: Connection, collection: Row, person: Row, ids: Sequence[str] | None) -> int:
    deleted = await face_table.delete(connection, person["person_pk"], ids)
    if deleted:
        await person_table.count_faces(connection, person["person_pk"], -deleted)
        await collection_table.count(connection, collection["collection_pk"], faces=-deleted)
    return deleted


def _require_room(collection: Row, contract_id: str, *, person_faces: int, added: int) -> None:
    collection_table.require_contract(collection, contract_id)
    requested = collection["face_count"] + added
    if added and requested > collection["capacity_rows"]:
        raise CollectionCapacityExceeded(collection["capacity_rows"], requested)
    if added:
        _require_face_limit(collection, person_faces + added)


def _require_face_limit(collection: Row, requested_faces: int) -> None:
    if requested_faces > collection["max_faces_per_person"]:
        raise PersonFaceLimitExceeded(collection["max_faces_per_person"], requested_faces)
