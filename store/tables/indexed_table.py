"""Faces by themselves, whoever's they are: statements on one connection. `Gallery` runs them.

An indexed face belongs to an anonymous person of its own until a person claims it.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from store.database.driver import Connection, Row
from store.errors import CollectionCapacityExceeded, FaceNotFound, InvalidValue, PersonFaceLimitExceeded
from store.tables import collection_table, face_table, person_table
from store.tables.rows import FACE_COLUMNS, contract_from, face_from
from store.tables.values import check_text, new_uuids, parse_uuid
from store.types import FaceRecord, IndexedImage, NewFace

MOST_AT_ONCE = 5000  # faces that one statement names


async def index(
    connection: Connection,
    tenant: str,
    collection_id: str,
    image: IndexedImage,
    faces: Sequence[NewFace],
    contract_id: str,
) -> tuple[FaceRecord, ...]:
    """Add the faces of the image, each as an anonymous person; what an image that was indexed before has, as it is."""
    check_text("external image id", image.external_id)
    image_id = parse_uuid(image.id)
    if image_id is None:
        raise InvalidValue("image id", "it is not a UUID")
    collection = await collection_table.lock(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    there = await connection.fetch(
        f"""
        select {FACE_COLUMNS}
        from faces
        join persons using (person_pk)
        where faces.collection_pk = $1 and faces.image_id = $2
        order by faces.image_face
        """,
        collection["collection_pk"],
        image_id,
    )
    if there:
        return _records(there, collection)
    requested = collection["face_count"] + len(faces)
    if faces and requested > collection["capacity_rows"]:
        raise CollectionCapacityExceeded(collection["capacity_rows"], requested)
    person_pks = await _create_anonymous(connection, collection, len(faces))
    return await face_table.insert(connection, collection, person_pks, faces, image)


async def get(connection: Connection, tenant: str, collection_id: str, id: str) -> FaceRecord:
    """Return the face. Raises FaceNotFound."""
    collection = await collection_table.find(connection, tenant, collection_id)
    found = await _find(connection, collection, [id])
    if not found:
        raise FaceNotFound(id)
    return face_from(found[0], contract_from(collection))


async def find_some(
    connection: Connection, tenant: str, collection_id: str, ids: Sequence[str]
) -> tuple[FaceRecord, ...]:
    """Return those of the faces that are there, oldest first."""
    collection = await collection_table.find(connection, tenant, collection_id)
    return _records(await _find(connection, collection, ids), collection)


async def list_page(
    connection: Connection, tenant: str, collection_id: str, *, after: str | None, limit: int, named: bool
) -> tuple[FaceRecord, ...]:
    """Return up to `limit` faces, oldest first. `named`: without those of anonymous persons."""
    collection = await collection_table.find(connection, tenant, collection_id)
    after_id = None
    if after is not None and (after_id := parse_uuid(after)) is None:
        raise InvalidValue("after", "it is not the id of a face")
    rows = await connection.fetch(
        f"""
        select {FACE_COLUMNS}
        from faces
        join persons using (person_pk)
        where faces.collection_pk = $1
            and ($2::uuid is null or faces.face_id > $2)
            and not ($4 and persons.is_anonymous)
        order by faces.face_id
        limit $3
        """,
        collection["collection_pk"],
        after_id,
        limit,
        named,
    )
    return _records(rows, collection)


async def embeddings(
    connection: Connection, tenant: str, collection_id: str, ids: Sequence[str], contract_id: str
) -> dict[str, npt.NDArray[np.float32]]:
    """Return the embedding, float32 (512,), of each of the faces that are there. Raises CollectionModelMismatch."""
    collection = await collection_table.find(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    rows = await connection.fetch(
        """
        select faces.face_id, embeddings.embedding
        from faces
        join embeddings using (face_pk, collection_pk)
        where faces.collection_pk = $1 and faces.face_id = any ($2) and embeddings.contract_pk = $3
        """,
        collection["collection_pk"],
        _face_ids(ids),
        collection["contract_pk"],
    )
    return {str(row["face_id"]): row["embedding"] for row in rows}


async def delete(
    connection: Connection, tenant: str, collection_id: str, ids: Sequence[str], *, anonymous_only: bool
) -> tuple[FaceRecord, ...]:
    """Delete those of the faces that are there, and return them; anonymous persons go with their last face."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    rows = await _find(connection, collection, ids)
    if anonymous_only:
        rows = [row for row in rows if row["is_anonymous"]]
    await connection.execute("delete from faces where face_pk = any ($1)", [row["face_pk"] for row in rows])
    await _recount(connection, collection, [row["person_pk"] for row in rows])
    await collection_table.count(connection, collection["collection_pk"], faces=-len(rows))
    return _records(rows, collection)


async def claim(
    connection: Connection, tenant: str, collection_id: str, person_id: str, ids: Sequence[str]
) -> tuple[FaceRecord, ...]:
    """Give faces of anonymous persons to the person, and return them; the others are passed over.

    Raises PersonFaceLimitExceeded.
    """
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    rows = [
        row
        for row in await _find(connection, collection, ids)
        if row["is_anonymous"] and row["person_pk"] != person["person_pk"]
    ]
    if rows and person["face_count"] + len(rows) > collection["max_faces_per_person"]:
        raise PersonFaceLimitExceeded(collection["max_faces_per_person"], person["face_count"] + len(rows))
    await connection.execute(
        "update faces set person_pk = $2 where face_pk = any ($1)",
        [row["face_pk"] for row in rows],
        person["person_pk"],
    )
    await _recount(connection, collection, [person["person_pk"], *(row["person_pk"] for row in rows)])
    return _records(await _find(connection, collection, [str(row["face_id"]) for row in rows]), collection)


async def release(
    connection: Connection, tenant: str, collection_id: str, person_id: str, ids: Sequence[str] | None
) -> tuple[FaceRecord, ...]:
    """Give faces of the person, all for None, to anonymous persons of their own, and return them."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    rows = await connection.fetch(
        "select face_pk, face_id from faces where person_pk = $1 and ($2::uuid[] is null or face_id = any ($2))",
        person["person_pk"],
        None if ids is None else _face_ids(ids),
    )
    if person["is_anonymous"] or not rows:
        return ()
    person_pks = await _create_anonymous(connection, collection, len(rows), faces_are_new=False)
    await connection.execute(
        """
        update faces set person_pk = given.person_pk
        from unnest($1::bigint[], $2::bigint[]) as given (face_pk, person_pk)
        where faces.face_pk = given.face_pk
        """,
        [row["face_pk"] for row in rows],
        person_pks,
    )
    await person_table.count_faces(connection, person["person_pk"], -len(rows))
    return _records(await _find(connection, collection, [str(row["face_id"]) for row in rows]), collection)


async def _find(connection: Connection, collection: Row, ids: Sequence[str]) -> list[Row]:
    rows: list[Row] = await connection.fetch(
        f"""
        select {FACE_COLUMNS}, persons.is_anonymous, persons.person_pk
        from faces
        join persons using (person_pk)
        where faces.collection_pk = $1 and faces.face_id = any ($2)
        order by faces.face_id
        """,
        collection["collection_pk"],
        _face_ids(ids),
    )
    return rows


async def _create_anonymous(
    connection: Connection, collection: Row, count: int, *, faces_are_new: bool = True
) -> list[int]:
    """Create persons for one face each; return their keys."""
    rows = await connection.fetch(
        """
        insert into persons (collection_pk, id, metadata, face_count, is_anonymous)
        select $1, id, '{}', 1, true
        from unnest($2::text[]) as new (id)
        returning person_pk
        """,
        collection["collection_pk"],
        [str(id) for id in new_uuids(count)],
    )
    await collection_table.count(
        connection, collection["collection_pk"], anonymous=count, faces=count if faces_are_new else 0
    )
    return [row["person_pk"] for row in rows]


async def _recount(connection: Connection, collection: Row, person_pks: Sequence[int]) -> None:
    """Count the faces of the persons anew; anonymous ones who have none left go."""
    await connection.execute(
        """
        update persons
        set
            face_count = (select count(*) from faces where faces.person_pk = persons.person_pk),
            updated_at = now()
        where person_pk = any ($1)
        """,
        list(set(person_pks)),
    )
    status: str = await connection.execute(
        "delete from persons where person_pk = any ($1) and is_anonymous and face_count = 0", list(set(person_pks))
    )
    gone = int(status.rpartition(" ")[2])
    await collection_table.count(connection, collection["collection_pk"], anonymous=-gone)


def _face_ids(ids: Sequence[str]) -> list[object]:
    if len(ids) > MOST_AT_ONCE:
        raise InvalidValue("face ids", f"expected at most {MOST_AT_ONCE}, found {len(ids)}")
    return [face_id for id in ids if (face_id := parse_uuid(id)) is not None]


def _records(rows: Sequence[Row], collection: Row) -> tuple[FaceRecord, ...]:
    contract = contract_from(collection)
    return tuple(face_from(row, contract) for row in rows)
