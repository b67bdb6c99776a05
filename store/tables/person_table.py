"""Persons of a collection: statements on one connection. `Gallery` runs them."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg

from store.database.driver import Connection, Row
from store.errors import ExternalIdExists, InvalidValue, PersonExists, PersonNotFound, PersonSearchTooSlow
from store.tables import collection_table
from store.tables.rows import PERSON_COLUMNS, person_from
from store.tables.values import check_json, check_text, is_storable, new_uuids
from store.types import NewPerson, Person

# A text is looked for in every person of the collection: 0.08 s for 100,000 of them. A scan that takes longer than
# this keeps one of a replica's few connections from searches by face.
SEARCH_TIMEOUT_S = 2.0

LIST_PAGE = f"""
    select {PERSON_COLUMNS}
    from persons
    where collection_pk = $1
        and not is_anonymous
        and ($2::text is null or id > $2)
        and ($3::text is null or id ilike $3 or name ilike $3 or external_id ilike $3)
    order by id
    limit $4
"""

UPDATABLE = ("name", "external_id", "metadata")


async def get(connection: Connection, tenant: str, collection_id: str, id: str) -> Person:
    """Return the person."""
    collection = await collection_table.find(connection, tenant, collection_id)
    return person_from(await find(connection, collection, id))


async def create(connection: Connection, collection: Row, new: NewPerson, face_count: int) -> Row:
    """Create the person in the locked collection; return its row. Raises PersonExists, ExternalIdExists."""
    for field in ("id", "name", "external_id"):
        check_text(field, getattr(new, field))
    check_json("metadata", new.metadata)
    id = str(new_uuids(1)[0]) if new.id is None else new.id
    with _unique_ids(id, new.external_id):
        return await connection.fetchrow(
            f"""
            insert into persons (collection_pk, id, name, external_id, metadata, face_count)
            values ($1, $2, $3, $4, $5, $6)
            returning {PERSON_COLUMNS}
            """,
            collection["collection_pk"],
            id,
            new.name,
            new.external_id,
            dict(new.metadata),
            face_count,
        )


async def find(connection: Connection, collection: Row, id: str) -> Row:
    """Return the row of the person. Raises PersonNotFound."""
    row = None
    if is_storable(id):
        row = await connection.fetchrow(
            f"select {PERSON_COLUMNS} from persons where collection_pk = $1 and id = $2",
            collection["collection_pk"],
            id,
        )
    if row is None:
        raise PersonNotFound(id)
    return row


async def list_page(
    connection: Connection, tenant: str, collection_id: str, *, after: str | None, limit: int, search: str | None
) -> tuple[Person, ...]:
    """Return up to `limit` persons by ascending id. `search`: part of an id, name or external id, in any case.

    Raises PersonSearchTooSlow where the search takes more than `SEARCH_TIMEOUT_S`.
    """
    collection = await collection_table.find(connection, tenant, collection_id)
    if not all(is_storable(text) for text in (after, search) if text is not None):
        return ()
    pattern = _substring_pattern(search) if search else None
    arguments = collection["collection_pk"], after, pattern, limit
    if pattern is None:
        return tuple(map(person_from, await connection.fetch(LIST_PAGE, *arguments)))
    try:
        async with connection.transaction():  # the timeout ends with it
            timeout_ms = str(round(SEARCH_TIMEOUT_S * 1000))
            await connection.execute("select set_config('statement_timeout', $1, true)", timeout_ms)
            return tuple(map(person_from, await connection.fetch(LIST_PAGE, *arguments)))
    except asyncpg.QueryCanceledError as exc:
        raise PersonSearchTooSlow(SEARCH_TIMEOUT_S) from exc


async def update(
    connection: Connection, tenant: str, collection_id: str, id: str, changes: Mapping[str, Any]
) -> Person:
    """Change properties (keys of `UPDATABLE`); who is named is not anonymous. Raises ExternalIdExists."""
    for key, value in changes.items():
        if key not in UPDATABLE:
            raise InvalidValue(key, "it cannot be changed")
        if isinstance(value, str):
            check_text(key, value)
    if "metadata" in changes:
        check_json("metadata", changes["metadata"])
    collection = await collection_table.lock(connection, tenant, collection_id)
    person = await find(connection, collection, id)
    assignments = [f"{column} = ${number}" for number, column in enumerate(changes, start=2)]
    if person["is_anonymous"] and (changes.get("name") or changes.get("external_id")):
        assignments.append("is_anonymous = false")
        await collection_table.count(connection, collection["collection_pk"], persons=1, anonymous=-1)
    with _unique_ids(id, changes.get("external_id")):
        row = await connection.fetchrow(
            f"""
            update persons
            set {", ".join([*assignments, "updated_at = now()"])}
            where person_pk = $1
            returning {PERSON_COLUMNS}
            """,
            person["person_pk"],
            *changes.values(),
        )
    return person_from(row)


async def delete(connection: Connection, person_pk: int) -> None:
    """Delete the person, with the faces that are still theirs; the collection's counts are the caller's."""
    await connection.execute("delete from persons where person_pk = $1", person_pk)


async def count_faces(connection: Connection, person_pk: int, added: int) -> None:
    """Add to the face count of a person, whose collection is locked."""
    await connection.execute(
        "update persons set face_count = face_count + $2, updated_at = now() where person_pk = $1", person_pk, added
    )


@contextmanager
def _unique_ids(id: str, external_id: str | None) -> Iterator[None]:
    try:
        yield
    except asyncpg.UniqueViolationError as exc:
        if exc.constraint_name == "persons_external_id_key":
            raise ExternalIdExists(external_id or "") from exc
        raise PersonExists(id) from exc


def _substring_pattern(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return f"%{escaped}%"
