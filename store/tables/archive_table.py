"""A collection as an archive: its faces with all that is kept of them, out and in. `Gallery` runs these statements."""

import json
import uuid
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pgvector import Vector

from store.database.driver import Connection, Row
from store.errors import CollectionCapacityExceeded, InvalidValue, PersonFaceLimitExceeded
from store.tables import collection_table
from store.tables.face_table import check
from store.tables.rows import FACE_COLUMNS, contract_from, face_from
from store.tables.values import check_json, check_text, parse_uuid
from store.types import ArchivedFace, RestoreCounts, RestoredFace, RestoredPerson


async def page(
    connection: Connection, tenant: str, collection_id: str, *, after: int, limit: int
) -> tuple[ArchivedFace, ...]:
    """Return up to `limit` faces of the collection after a position, in the order of enrolment."""
    collection = await collection_table.find(connection, tenant, collection_id)
    rows = await connection.fetch(
        f"""
        select {FACE_COLUMNS}, faces.crop, embeddings.embedding
        from embeddings
        join faces using (face_pk)
        join persons using (person_pk)
        where embeddings.collection_pk = $1
            and embeddings.contract_pk = $2
            and embeddings.face_pk > $3
        order by embeddings.face_pk
        limit $4
        """,
        collection["collection_pk"],
        collection["contract_pk"],
        after,
        limit,
    )
    contract = contract_from(collection)
    return tuple(ArchivedFace(face_from(row, contract), row["face_pk"], row["embedding"], row["crop"]) for row in rows)


async def restore(
    connection: Connection,
    tenant: str,
    collection_id: str,
    contract_id: str,
    persons: Sequence[RestoredPerson],
    faces: Sequence[RestoredFace],
) -> RestoreCounts:
    """Add what the collection lacks of an archive. Repeated, it adds nothing.

    A face keeps its id, unless another collection of this database has it: then it gets one that follows from both.
    Raises CollectionModelMismatch, CollectionCapacityExceeded, PersonFaceLimitExceeded, InvalidValue.
    """
    collection = await collection_table.lock(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    created = await _add_persons(connection, collection, persons)
    rows = await connection.fetch(
        "select id, person_pk, face_count from persons where collection_pk = $1 and id = any ($2)",
        collection["collection_pk"],
        sorted({face.person_id for face in faces} | {restored.person.id or "" for restored in persons}),
    )
    there = {row["id"]: row for row in rows}
    refused = sum(restored.person.id not in there for restored in persons)
    known = [face for face in faces if face.person_id in there]
    ids = await _new_ids(connection, collection, known)
    new = [(ids[face.id], face) for face in known if face.id in ids]
    _require_room(collection, there, new)
    added = await _add_faces(connection, collection, there, new)
    await collection_table.count(connection, collection["collection_pk"], persons=created, faces=added)
    return RestoreCounts(
        persons=created, faces=added, present=len(known) - len(new), skipped=refused + len(faces) - len(known)
    )


async def _add_persons(connection: Connection, collection: Row, persons: Sequence[RestoredPerson]) -> int:
    for restored in persons:
        for field in ("id", "name", "external_id"):
            check_text(field, getattr(restored.person, field))
        check_json("metadata", restored.person.metadata)
    status: str = await connection.execute(
        """
        insert into persons (collection_pk, id, name, external_id, metadata, created_at)
        select $1, id, name, external_id, metadata::jsonb, created_at
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[])
            as columns (id, name, external_id, metadata, created_at)
        on conflict do nothing
        """,
        collection["collection_pk"],
        [restored.person.id for restored in persons],
        [restored.person.name for restored in persons],
        [restored.person.external_id for restored in persons],
        [json.dumps(dict(restored.person.metadata)) for restored in persons],
        [restored.created_at for restored in persons],
    )
    return int(status.rpartition(" ")[2])


async def _new_ids(connection: Connection, collection: Row, faces: Sequence[RestoredFace]) -> dict[str, uuid.UUID]:
    """Return under which id each face goes in, by its id in the archive; those that are there already are left out."""
    own: dict[str, uuid.UUID] = {}
    for face in faces:
        if (parsed := parse_uuid(face.id)) is None:
            raise InvalidValue("id", "it is not the id of a face")
        own[face.id] = parsed
    derived = {id: uuid.uuid5(parsed, f"collection {collection['collection_pk']}") for id, parsed in own.items()}
    rows = await connection.fetch(
        """
        select faces.face_id, persons.collection_pk
        from faces
        join persons using (person_pk)
        where faces.face_id = any ($1)
        """,
        [*own.values(), *derived.values()],
    )
    taken: dict[Any, int] = {row["face_id"]: row["collection_pk"] for row in rows}
    here = collection["collection_pk"]
    return {
        id: parsed if parsed not in taken else derived[id]
        for id, parsed in own.items()
        if taken.get(parsed) != here and derived[id] not in taken
    }


async def _add_faces(
    connection: Connection, collection: Row, there: dict[str, Row], new: Sequence[tuple[uuid.UUID, RestoredFace]]
) -> int:
    if not new:
        return 0
    for _, restored in new:
        check(restored.face)
    faces = [restored.face for _, restored in new]
    boxes = zip(*(face.box for face in faces), strict=True)
    rows = await connection.fetch(
        """
        with new_faces as (
            select * from unnest(
                $1::uuid[], $2::bigint[], $3::float8[], $4::float8[], $5::float8[], $6::float8[], $7::integer[],
                $8::integer[], $9::text[], $10::float8[], $11::text[], $12::text[], $13::bytea[], $14::bytea[],
                $15::timestamptz[], $16::vector[]
            ) with ordinality as columns (
                face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height, landmarks,
                detection_score, quality, source, crop, source_sha256, created_at, embedding, place
            )
        ),
        inserted as (
            insert into faces (
                face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height, landmarks,
                detection_score, quality, source, crop, source_sha256, created_at, collection_pk
            )
            select
                face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height,
                landmarks::jsonb, detection_score, quality::jsonb, source, crop, source_sha256, created_at, $18::bigint
            from new_faces
            order by place
            on conflict (face_id) do nothing
            returning face_pk, face_id, person_pk
        ),
        embedded as (
            insert into embeddings (face_pk, contract_pk, collection_pk, embedding)
            select inserted.face_pk, $17, $18, new_faces.embedding
            from inserted
            join new_faces using (face_id)
        ),
        counted as (
            update persons
            set face_count = persons.face_count + added.count, updated_at = now()
            from (select person_pk, count(*) as count from inserted group by person_pk) as added
            where persons.person_pk = added.person_pk
        )
        select count(*) as added from inserted
        """,
        [id for id, _ in new],
        [there[restored.person_id]["person_pk"] for _, restored in new],
        *boxes,
        [face.image_width for face in faces],
        [face.image_height for face in faces],
        [None if face.landmarks is None else json.dumps(face.landmarks) for face in faces],
        [face.detection_score for face in faces],
        [json.dumps(dict(face.quality)) for face in faces],
        [face.source for face in faces],
        [face.crop if collection["save_face_crops"] else None for face in faces],
        [face.source_sha256 for face in faces],
        [restored.created_at for _, restored in new],
        [Vector(face.embedding) for face in faces],
        collection["contract_pk"],
        collection["collection_pk"],
    )
    return int(rows[0]["added"])


def _require_room(collection: Row, there: dict[str, Row], new: Sequence[tuple[uuid.UUID, RestoredFace]]) -> None:
    requested = collection["face_count"] + len(new)
    if new and requested > collection["capacity_rows"]:
        raise CollectionCapacityExceeded(collection["capacity_rows"], requested)
    for person_id, count in Counter(restored.person_id for _, restored in new).items():
        faces = there[person_id]["face_count"] + count
        if faces > collection["max_faces_per_person"]:
            raise PersonFaceLimitExceeded(collection["max_faces_per_person"], faces)
