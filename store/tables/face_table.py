"""Faces of a person and their embeddings: statements on one connection. `Gallery` runs them."""

import json
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pgvector import Vector

from store.database.driver import Connection, Row
from store.errors import FaceImageNotFound, FaceNotFound, InvalidValue
from store.tables import collection_table, person_table
from store.tables.rows import FACE_COLUMNS, contract_from, face_from
from store.tables.values import check_embeddings, check_json, new_uuids, parse_uuid
from store.types import FaceRecord, IndexedImage, NewFace


async def insert(
    connection: Connection,
    collection: Row,
    person_pks: Sequence[int],
    faces: Sequence[NewFace],
    image: IndexedImage | None = None,
) -> tuple[FaceRecord, ...]:
    """Add each face to its person of the locked collection, whose contract their embeddings are of.

    `image`: the one that all of them are of. Counts are the caller's.
    """
    if not faces:
        return ()
    for face in faces:
        check(face)
    face_ids = new_uuids(len(faces))
    keeps_crops = collection["save_face_crops"]
    boxes = zip(*(face.box for face in faces), strict=True)
    rows = await connection.fetch(
        f"""
        with new_faces as (
            select * from unnest(
                $1::uuid[], $2::float8[], $3::float8[], $4::float8[], $5::float8[], $6::integer[], $7::integer[],
                $8::text[], $9::float8[], $10::text[], $11::text[], $12::bytea[], $13::vector[], $14::bigint[],
                $15::bytea[], $16::integer[]
            ) as columns (
                face_id, box_left, box_top, box_right, box_bottom, image_width, image_height,
                landmarks, detection_score, quality, source, crop, embedding, person_pk,
                source_sha256, image_face
            )
        ),
        inserted as (
            insert into faces (
                face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height,
                landmarks, detection_score, quality, source, crop, source_sha256, image_face, collection_pk,
                image_id, external_image_id
            )
            select
                face_id, person_pk, box_left, box_top, box_right, box_bottom, image_width, image_height,
                landmarks::jsonb, detection_score, quality::jsonb, source, crop, source_sha256,
                image_face, $18, $19, $20
            from new_faces
            returning *
        ),
        embedded as (
            insert into embeddings (face_pk, contract_pk, collection_pk, embedding)
            select faces.face_pk, $17, $18, new_faces.embedding
            from inserted as faces
            join new_faces using (face_id)
        )
        select {FACE_COLUMNS}
        from inserted as faces
        join persons using (person_pk)
        order by faces.face_id
        """,
        face_ids,
        *boxes,
        [face.image_width for face in faces],
        [face.image_height for face in faces],
        [None if face.landmarks is None else json.dumps(face.landmarks) for face in faces],
        [face.detection_score for face in faces],
        [json.dumps(dict(face.quality)) for face in faces],
        [face.source for face in faces],
        [face.crop if keeps_crops else None for face in faces],
        [Vector(face.embedding) for face in faces],
        person_pks,
        [face.source_sha256 for face in faces],
        [None if image is None else number for number in range(len(faces))],
        collection["contract_pk"],
        collection["collection_pk"],
        None if image is None else parse_uuid(image.id),
        None if image is None else image.external_id,
    )
    contract = contract_from(collection)
    return tuple(face_from(row, contract) for row in rows)


async def find(connection: Connection, person: Row, id: str) -> Row:
    """Return the row of the person's face. Raises FaceNotFound."""
    face_id = parse_uuid(id)
    row = None
    if face_id is not None:
        row = await connection.fetchrow(
            f"""
            select {FACE_COLUMNS}
            from faces
            join persons using (person_pk)
            where faces.face_id = $1 and faces.person_pk = $2
            """,
            face_id,
            person["person_pk"],
        )
    if row is None:
        raise FaceNotFound(id)
    return row


async def get(connection: Connection, tenant: str, collection_id: str, person_id: str, id: str) -> FaceRecord:
    """Return the face of the person."""
    collection = await collection_table.find(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    return face_from(await find(connection, person, id), contract_from(collection))


async def list_page(
    connection: Connection, tenant: str, collection_id: str, person_id: str, *, after: str | None, limit: int
) -> tuple[FaceRecord, ...]:
    """Return up to `limit` faces of the person, oldest first. Raises InvalidValue for an `after` that is no id."""
    collection = await collection_table.find(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    after_id = None
    if after is not None and (after_id := parse_uuid(after)) is None:
        raise InvalidValue("after", "it is not the id of a face")
    rows = await connection.fetch(
        f"""
        select {FACE_COLUMNS}
        from faces
        join persons using (person_pk)
        where faces.person_pk = $1
            and ($2::uuid is null or faces.face_id > $2)
        order by faces.face_id
        limit $3
        """,
        person["person_pk"],
        after_id,
        limit,
    )
    contract = contract_from(collection)
    return tuple(face_from(row, contract) for row in rows)


async def crop(connection: Connection, tenant: str, collection_id: str, person_id: str, id: str) -> bytes:
    """Return the saved JPEG of the face. Raises FaceImageNotFound."""
    collection = await collection_table.find(connection, tenant, collection_id)
    person = await person_table.find(connection, collection, person_id)
    face = await find(connection, person, id)
    jpeg: bytes | None = await connection.fetchval("select crop from faces where face_pk = $1", face["face_pk"])
    if jpeg is None:
        raise FaceImageNotFound(id)
    return jpeg


async def embedding(
    connection: Connection, tenant: str, collection_id: str, id: str, contract_id: str
) -> npt.NDArray[np.float32]:
    """Return the embedding, float32 (512,), of any face of the collection. Raises CollectionModelMismatch."""
    collection = await collection_table.find(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    face_id = parse_uuid(id)
    found: npt.NDArray[np.float32] | None = None
    if face_id is not None:
        found = await connection.fetchval(
            """
            select embeddings.embedding
            from faces
            join embeddings using (face_pk)
            where faces.face_id = $1
                and embeddings.collection_pk = $2
                and embeddings.contract_pk = $3
            """,
            face_id,
            collection["collection_pk"],
            collection["contract_pk"],
        )
    if found is None:
        raise FaceNotFound(id)
    return found


async def delete(connection: Connection, person_pk: int, ids: Sequence[str] | None) -> int:
    """Delete these faces of the person, or all; return how many were there. Counts are the caller's."""
    face_ids = None if ids is None else [face_id for id in ids if (face_id := parse_uuid(id)) is not None]
    status: str = await connection.execute(
        "delete from faces where person_pk = $1 and ($2::uuid[] is null or face_id = any ($2))", person_pk, face_ids
    )
    return int(status.rpartition(" ")[2])


async def give(connection: Connection, face_pk: int, person_pk: int) -> None:
    """Make the face another person's. Counts are the caller's."""
    await connection.execute("update faces set person_pk = $2 where face_pk = $1", face_pk, person_pk)


async def give_all(connection: Connection, from_person_pk: int, to_person_pk: int) -> None:
    """Make all faces of one person another's. Counts are the caller's."""
    await connection.execute("update faces set person_pk = $2 where person_pk = $1", from_person_pk, to_person_pk)


def check(face: NewFace) -> None:
    """Raise InvalidValue for a face that the tables cannot hold."""
    check_embeddings("embedding", face.embedding[None])
    if not all(map(math.isfinite, (*face.box, face.detection_score))):
        raise InvalidValue("box", "expected finite coordinates and score")
    check_json("quality", face.quality)
    check_json("landmarks", [list(point) for point in face.landmarks or ()])
