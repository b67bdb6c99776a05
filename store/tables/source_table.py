"""Which files and persons a collection has already: statements on one connection. `Gallery` runs them."""

from collections.abc import Sequence

from store.database.driver import Connection
from store.errors import InvalidValue
from store.tables import collection_table
from store.tables.values import is_storable
from store.types import KnownSources


async def known(
    connection: Connection, tenant: str, collection_id: str, sources: Sequence[str], person_ids: Sequence[str]
) -> KnownSources:
    """Return which of `sources`, sha256 in hex, and of `person_ids` the collection has.

    A person who is reported as there has all sources that it was created with. Raises InvalidValue.
    """
    collection = await collection_table.find(connection, tenant, collection_id)
    try:
        digests = [bytes.fromhex(source) for source in sources]
    except ValueError as error:
        raise InvalidValue("source", "expected sha256 in hex") from error
    # Persons first: between two statements a person may be created, whose files would else look as if they were wanted.
    persons = await connection.fetch(
        "select id from persons where collection_pk = $1 and id = any ($2)",
        collection["collection_pk"],
        [id for id in person_ids if is_storable(id)],
    )
    faces = await connection.fetch(
        """
        select distinct on (faces.source_sha256)
            faces.source_sha256,
            persons.id as person_id
        from faces
        join persons using (person_pk)
        where faces.source_sha256 = any ($2)
            and persons.collection_pk = $1
        order by faces.source_sha256, faces.face_pk
        """,
        collection["collection_pk"],
        digests,
    )
    return KnownSources(
        {row["source_sha256"].hex(): row["person_id"] for row in faces}, frozenset(row["id"] for row in persons)
    )
