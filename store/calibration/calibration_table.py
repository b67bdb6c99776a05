"""Calibrations and their samples: statements on one connection. `Gallery` runs them.

What is left to do follows from `last_face_pk`. Whoever advances a calibration writes only if nobody else has since, so
that it may be killed and repeated at any moment.
"""

from dataclasses import dataclass

import numpy as np

from store.calibration.comparing import NO_SCORE, Best, Chunk, Samples
from store.database.driver import Connection, Row
from store.errors import CalibrationNotFound, InvalidValue
from store.tables import collection_table
from store.tables.rows import calibration_column
from store.tables.values import new_uuids, parse_uuid
from store.types import EMBEDDING_DIMENSION, AppliedCalibration, Calibration, CalibrationScores, Collection

MOST_PERSONS = 5000  # sampled: the error rate of 1 in 1,000 is then known within 0.3 to 2.3 in 1,000
KEPT = 20  # calibrations of a collection, the newest

# Sampled by a hash of the key, so that a repeated statement takes other persons and no order of enrolment matters.
SAMPLE = """
    insert into calibration_samples (calibration_pk, collection_pk, person_pk, face_pk)
    select $1, $2, sampled.person_pk, face.face_pk
    from (
        select person_pk
        from persons
        where collection_pk = $2 and face_count > 0
        order by hashint8extended(person_pk, $1)
        limit $4
    ) as sampled
    cross join lateral (
        select faces.face_pk
        from faces
        join embeddings using (face_pk)
        where faces.person_pk = sampled.person_pk and embeddings.contract_pk = $3
        order by hashint8extended(face_pk, $1)
        limit 1
    ) as face
"""
COLUMNS = """
    calibrations.calibration_pk,
    calibrations.calibration_id,
    calibrations.collection_pk,
    calibrations.contract_pk,
    calibrations.person_count,
    calibrations.last_face_pk,
    calibrations.faces_compared,
    calibrations.started_at,
    calibrations.finished_at
"""
READ_CHUNK = """
    select
        string_agg(int8send(face_pk), ''::bytea order by face_pk) as faces,
        string_agg(int8send(person_pk), ''::bytea order by face_pk) as persons,
        string_agg(substring(vector_send(embedding) from 5), ''::bytea order by face_pk) as embeddings
    from (
        select embeddings.face_pk, faces.person_pk, embeddings.embedding
        from embeddings
        join faces using (face_pk)
        where embeddings.collection_pk = $1 and embeddings.contract_pk = $2 and embeddings.face_pk > $3
        order by embeddings.face_pk
        limit $4
    ) as chunk
"""


@dataclass(frozen=True, eq=False, slots=True)
class Unfinished:
    """A calibration with the samples that are left, and how far it has come."""

    calibration_pk: int
    collection_pk: int
    contract_pk: int
    last_face_pk: int
    samples: Samples
    best: Best


async def start(connection: Connection, tenant: str, collection_id: str, persons: int) -> Calibration:
    """Begin a calibration on up to `persons` random persons, one random face of each. Raises InvalidValue."""
    if not 1 <= persons <= MOST_PERSONS:
        raise InvalidValue("persons", f"expected 1 to {MOST_PERSONS}, found {persons}")
    collection = await collection_table.lock(connection, tenant, collection_id)
    (calibration_id,) = new_uuids(1)
    calibration_pk = await connection.fetchval(
        """
        insert into calibrations (calibration_id, collection_pk, contract_pk, person_count)
        values ($1, $2, $3, $4)
        returning calibration_pk
        """,
        calibration_id,
        collection["collection_pk"],
        collection["contract_pk"],
        collection["person_count"],
    )
    await connection.execute(SAMPLE, calibration_pk, collection["collection_pk"], collection["contract_pk"], persons)
    await connection.execute(
        """
        delete from calibrations
        where calibration_pk in (
            select calibration_pk
            from calibrations
            where collection_pk = $1
            order by calibration_pk desc
            offset $2
        )
        """,
        collection["collection_pk"],
        KEPT,
    )
    return await get(connection, tenant, collection_id, str(calibration_id))


async def get(connection: Connection, tenant: str, collection_id: str, id: str) -> Calibration:
    """Return the calibration. Raises CalibrationNotFound."""
    collection = await collection_table.find(connection, tenant, collection_id)
    return await _told(connection, collection, await _find(connection, collection, id))


async def list_all(connection: Connection, tenant: str, collection_id: str) -> tuple[Calibration, ...]:
    """Return the calibrations that are kept, newest first."""
    collection = await collection_table.find(connection, tenant, collection_id)
    rows = await connection.fetch(
        f"select {COLUMNS} from calibrations where collection_pk = $1 order by calibration_pk desc",
        collection["collection_pk"],
    )
    return tuple([await _told(connection, collection, row) for row in rows])


async def scores(connection: Connection, tenant: str, collection_id: str, id: str) -> CalibrationScores:
    """Return what was found so far. Raises CalibrationNotFound."""
    collection = await collection_table.find(connection, tenant, collection_id)
    calibration = await _find(connection, collection, id)
    rows = await connection.fetch(
        """
        select person_pk, other_score, other_person_pk, own_score
        from calibration_samples
        where calibration_pk = $1
        order by person_pk
        """,
        calibration["calibration_pk"],
    )
    places = {row["person_pk"]: place for place, row in enumerate(rows)}
    return CalibrationScores(
        strangers=np.array([row["other_score"] for row in rows], np.float64),
        partners=np.array([places.get(row["other_person_pk"], -1) for row in rows], np.int64),
        members=np.array([row["own_score"] for row in rows if row["own_score"] is not None], np.float64),
    )


async def apply(
    connection: Connection, tenant: str, collection_id: str, threshold: float, applied: AppliedCalibration
) -> Collection:
    """Set the collection's threshold, and what its scores mean from now on. Raises CalibrationNotFound."""
    collection = await collection_table.lock(connection, tenant, collection_id)
    await _find(connection, collection, applied.calibration_id)
    await connection.execute(
        """
        update collections
        set threshold = $2, calibration = $3, updated_at = now()
        where collection_pk = $1
        """,
        collection["collection_pk"],
        threshold,
        calibration_column(applied),
    )
    return await collection_table.get(connection, tenant, collection_id)


async def unfinished(connection: Connection, tenant: str, collection_id: str, id: str) -> Unfinished | None:
    """Return what an unfinished calibration needs to go on; None for a finished one. Raises CalibrationNotFound."""
    collection = await collection_table.find(connection, tenant, collection_id)
    calibration = await _find(connection, collection, id)
    if calibration["finished_at"] is not None:
        return None
    rows = await connection.fetch(
        """
        select samples.person_pk, samples.face_pk, samples.other_score, samples.other_person_pk, samples.own_score,
            embeddings.embedding
        from calibration_samples as samples
        join embeddings using (face_pk)
        where samples.calibration_pk = $1 and embeddings.contract_pk = $2
        order by samples.person_pk
        """,
        calibration["calibration_pk"],
        calibration["contract_pk"],
    )
    embeddings = [row["embedding"] for row in rows]
    return Unfinished(
        calibration_pk=calibration["calibration_pk"],
        collection_pk=calibration["collection_pk"],
        contract_pk=calibration["contract_pk"],
        last_face_pk=calibration["last_face_pk"],
        samples=Samples(
            np.array([row["person_pk"] for row in rows], np.int64),
            np.array([row["face_pk"] for row in rows], np.int64),
            np.stack(embeddings) if embeddings else np.empty((0, EMBEDDING_DIMENSION), np.float32),
        ),
        best=Best(
            np.array([row["other_score"] for row in rows], np.float32),
            np.array([row["other_person_pk"] or 0 for row in rows], np.int64),
            np.array([NO_SCORE if row["own_score"] is None else row["own_score"] for row in rows], np.float32),
        ),
    )


async def read_chunk(connection: Connection, run: Unfinished, after: int, limit: int) -> Chunk:
    """Return up to `limit` faces of the collection whose keys are above `after`, by ascending key."""
    row = await connection.fetchrow(READ_CHUNK, run.collection_pk, run.contract_pk, after, limit)
    faces = np.frombuffer(row["faces"] or b"", ">i8").astype(np.int64)
    persons = np.frombuffer(row["persons"] or b"", ">i8").astype(np.int64)
    embeddings = np.frombuffer(row["embeddings"] or b"", ">f4").astype(np.float32)
    return Chunk(persons, faces, embeddings.reshape(len(faces), EMBEDDING_DIMENSION))


async def record(connection: Connection, run: Unfinished, after: int, chunk: Chunk, former: Best, best: Best) -> bool:
    """Write what the chunk that follows the key `after` has changed; return False if another had done so before.

    An empty chunk finishes the calibration.
    """
    if len(chunk.faces) == 0:
        done: str = await connection.execute(
            """
            update calibrations
            set finished_at = now()
            where calibration_pk = $1 and last_face_pk = $2 and finished_at is null
            """,
            run.calibration_pk,
            after,
        )
        return done == "UPDATE 1"
    done = await connection.execute(
        """
        update calibrations
        set last_face_pk = $3, faces_compared = faces_compared + $4
        where calibration_pk = $1 and last_face_pk = $2 and finished_at is null
        """,
        run.calibration_pk,
        after,
        int(chunk.faces[-1]),
        len(chunk.faces),
    )
    if done != "UPDATE 1":
        return False
    changed = np.flatnonzero((best.other > former.other) | (best.own > former.own))
    await connection.execute(
        """
        update calibration_samples as samples
        set other_score = found.other_score,
            other_person_pk = nullif(found.other_person_pk, 0),
            own_score = nullif(found.own_score, $6)
        from unnest($2::bigint[], $3::real[], $4::bigint[], $5::real[])
            as found (person_pk, other_score, other_person_pk, own_score)
        where samples.calibration_pk = $1 and samples.person_pk = found.person_pk
        """,
        run.calibration_pk,
        run.samples.persons[changed].tolist(),
        best.other[changed].tolist(),
        best.other_persons[changed].tolist(),
        best.own[changed].tolist(),
        NO_SCORE,
    )
    return True


async def _find(connection: Connection, collection: Row, id: str) -> Row:
    calibration_id = parse_uuid(id)
    row = None
    if calibration_id is not None:
        row = await connection.fetchrow(
            f"select {COLUMNS} from calibrations where collection_pk = $1 and calibration_id = $2",
            collection["collection_pk"],
            calibration_id,
        )
    if row is None:
        raise CalibrationNotFound(id)
    return row


async def _told(connection: Connection, collection: Row, row: Row) -> Calibration:
    sampled = await connection.fetchval(
        "select count(*) from calibration_samples where calibration_pk = $1", row["calibration_pk"]
    )
    return Calibration(
        id=str(row["calibration_id"]),
        persons=row["person_count"],
        persons_sampled=sampled,
        faces_compared=row["faces_compared"],
        faces=collection["face_count"],
        is_current=row["contract_pk"] == collection["contract_pk"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
    )
