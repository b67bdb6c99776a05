"""Collections: statements on one connection. `Gallery` runs them.

Every write first claims its idempotency key, then locks its collection's row, then touches the rest. Writers of a
collection thus queue on that row, its counts and limits are exact, and no two writes deadlock.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from store.database.driver import Connection, Row
from store.errors import (
    CollectionCapacityExceeded,
    CollectionExists,
    CollectionModelMismatch,
    CollectionNotEmpty,
    CollectionNotFound,
    InvalidValue,
)
from store.tables.rows import (
    COLLECTION_COLUMNS,
    COLLECTION_PROPERTIES,
    collection_from,
    detection_changes,
    property_columns,
)
from store.tables.values import check_json, check_text, is_storable
from store.types import EMBEDDING_DIMENSION, Collection, Contract, NewCollection, Statistics

PURGED_AT_ONCE = 1000
PURGE_FACES = """
    delete from faces
    where face_pk in (select face_pk from embeddings where collection_pk = $1 limit $2)
"""
PURGE_PERSONS = """
    delete from persons
    where person_pk in (select person_pk from persons where collection_pk = $1 limit $2)
"""


async def create(connection: Connection, tenant: str, new: NewCollection) -> Collection:
    """Create the collection, and its contract if it is the first of it. Raises CollectionExists."""
    columns = {
        "tenant": tenant,
        "id": new.id,
        "contract_pk": await _contract_pk(connection, new.contract),
        "search_profile": new.search_profile,
        **property_columns(new),
    }
    for name, value in columns.items():
        if isinstance(value, str):
            check_text(name, value)
    check_json("metadata", new.metadata)
    created = await connection.fetchval(
        f"""
        insert into collections ({", ".join(columns)})
        values ({", ".join(f"${number}" for number in range(1, len(columns) + 1))})
        on conflict (tenant, id) where deleted_at is null do nothing
        returning collection_pk
        """,
        *columns.values(),
    )
    if created is None:
        raise CollectionExists(new.id)
    return await get(connection, tenant, new.id)


async def get(connection: Connection, tenant: str, id: str) -> Collection:
    """Return the collection."""
    return collection_from(await find(connection, tenant, id))


async def find(connection: Connection, tenant: str, id: str) -> Row:
    """Return the row of the collection. Raises CollectionNotFound."""
    return await _find(connection, tenant, id, "")


async def lock(connection: Connection, tenant: str, id: str) -> Row:
    """Return the row of the collection, locked against other writers until the transaction ends."""
    return await _find(connection, tenant, id, "for no key update of collections")


def require_contract(collection: Row, contract_id: str) -> None:
    """Raise CollectionModelMismatch unless the collection is bound to the contract."""
    if collection["contract_id"] != contract_id:
        raise CollectionModelMismatch(collection["id"], collection["contract_id"], contract_id)


async def list_page(
    connection: Connection, tenant: str, *, after: str | None, limit: int, granted: Sequence[str] | None
) -> tuple[Collection, ...]:
    """Return up to `limit` collections by ascending id. `granted`: ids or globs with * and ?, None for all."""
    if not is_storable(tenant) or (after is not None and not is_storable(after)):
        return ()
    rows = await connection.fetch(
        f"""
        select {COLLECTION_COLUMNS}
        from collections
        join contracts using (contract_pk)
        where collections.tenant = $1
            and collections.deleted_at is null
            and ($2::text is null or collections.id > $2)
            and ($3::text[] is null or collections.id like any ($3))
        order by collections.id
        limit $4
        """,
        tenant,
        after,
        _patterns(granted),
        limit,
    )
    return tuple(collection_from(row) for row in rows)


async def update(connection: Connection, tenant: str, id: str, changes: Mapping[str, Any]) -> Collection:
    """Change properties (fields of `CollectionProperties`); another detection profile gets a new revision.

    `detection` is a whole profile, or a mapping of those of its fields that change.
    Raises CollectionCapacityExceeded for a capacity below the faces that are there.
    """
    row = await lock(connection, tenant, id)
    columns: dict[str, Any] = {}
    for key, value in changes.items():
        if key not in COLLECTION_PROPERTIES:
            raise InvalidValue(key, "it cannot be changed")
        if isinstance(value, str):
            check_text(key, value)
        columns[key] = detection_changes(value) if key == "detection" else value
    if "metadata" in columns:
        check_json("metadata", columns["metadata"])
    if columns.get("capacity_rows", row["face_count"]) < row["face_count"]:
        raise CollectionCapacityExceeded(columns["capacity_rows"], row["face_count"])
    assignments = []
    for number, column in enumerate(columns, start=2):
        if column == "detection":
            changed = f"detection || ${number}"
            assignments.append(f"detection_revision = detection_revision + (detection <> {changed})::integer")
            assignments.append(f"detection = {changed}")
        else:
            assignments.append(f"{column} = ${number}")
    await connection.execute(
        f"update collections set {', '.join([*assignments, 'updated_at = now()'])} where collection_pk = $1",
        row["collection_pk"],
        *columns.values(),
    )
    return await get(connection, tenant, id)


async def delete(connection: Connection, tenant: str, id: str, *, force: bool) -> None:
    """Delete the collection: it is gone at once, its rows are removed by `purge_chunk`.

    Raises CollectionNotEmpty unless `force`.
    """
    row = await lock(connection, tenant, id)
    persons = row["person_count"] + row["anonymous_count"]
    if persons and not force:
        raise CollectionNotEmpty(id, persons)
    await connection.execute("update collections set deleted_at = now() where collection_pk = $1", row["collection_pk"])


async def purge_chunk(connection: Connection) -> bool:
    """Remove some faces of a deleted collection, after the last some persons, after the last its row.

    Returns whether there was any. Faces come first, since a person may have a million of them, and one statement must
    come to its end in time.
    """
    collection_pk = await connection.fetchval(
        "select collection_pk from collections where deleted_at is not null order by collection_pk limit 1"
    )
    if collection_pk is None:
        return False
    for sql in (PURGE_FACES, PURGE_PERSONS):
        if await connection.execute(sql, collection_pk, PURGED_AT_ONCE) != "DELETE 0":
            return True
    await connection.execute("delete from collections where collection_pk = $1", collection_pk)
    return True


async def count(
    connection: Connection, collection_pk: int, *, persons: int = 0, faces: int = 0, anonymous: int = 0
) -> None:
    """Add to the counts of the collection, whose row is locked. `persons`: without the anonymous ones."""
    await connection.execute(
        """
        update collections
        set
            person_count = person_count + $2,
            face_count = face_count + $3,
            anonymous_count = anonymous_count + $4
        where collection_pk = $1
        """,
        collection_pk,
        persons,
        faces,
        anonymous,
    )


async def statistics(connection: Connection, tenant: str, *, granted: Sequence[str] | None) -> Statistics:
    """Return how much the tenant has stored, in the collections of `granted`: as for `list_page`."""
    if not is_storable(tenant):
        return Statistics(0, 0, 0)
    row = await connection.fetchrow(
        """
        select
            count(*) as collections,
            coalesce(sum(person_count), 0)::bigint as persons,
            coalesce(sum(face_count), 0)::bigint as faces
        from collections
        where tenant = $1 and deleted_at is null and ($2::text[] is null or id like any ($2))
        """,
        tenant,
        _patterns(granted),
    )
    return Statistics(row["collections"], row["persons"], row["faces"])


async def _find(connection: Connection, tenant: str, id: str, locking: str) -> Row:
    row = None
    if is_storable(tenant) and is_storable(id):
        row = await connection.fetchrow(
            f"""
            select {COLLECTION_COLUMNS}
            from collections
            join contracts using (contract_pk)
            where collections.tenant = $1
                and collections.id = $2
                and collections.deleted_at is null
            {locking}
            """,
            tenant,
            id,
        )
    if row is None:
        raise CollectionNotFound(id)
    return row


async def _contract_pk(connection: Connection, contract: Contract) -> int:
    for field in ("id", "model_id", "model_version", "model_digest", "preprocessing_version"):
        check_text(f"contract {field}", getattr(contract, field))
    if contract.dimension != EMBEDDING_DIMENSION:
        raise InvalidValue("contract dimension", f"expected {EMBEDDING_DIMENSION}, found {contract.dimension}")
    await connection.execute(
        """
        insert into contracts (id, model_id, model_version, model_digest, dimension, preprocessing_version)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do nothing
        """,
        contract.id,
        contract.model_id,
        contract.model_version,
        contract.model_digest,
        contract.dimension,
        contract.preprocessing_version,
    )
    contract_pk: int = await connection.fetchval("select contract_pk from contracts where id = $1", contract.id)
    return contract_pk


def _patterns(granted: Sequence[str] | None) -> list[str] | None:
    """Return the LIKE patterns of ids and globs, None for all."""
    return None if granted is None else [_like(glob) for glob in granted if is_storable(glob)]


def _like(glob: str) -> str:
    """Return the LIKE pattern of a glob."""
    escaped = glob.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return escaped.replace("*", "%").replace("?", "_")
