"""Removes what force-deleted collections held, and idempotency keys that have expired, a little at a time."""

from store.database.driver import Connection
from store.tables.collection_table import purge_chunk
from store.tables.idempotency import purge_keys

PURGE_LOCK = 7_236_410_003  # advisory lock key, ours alone


async def purge_some(connection: Connection) -> bool:
    """Remove some of what is to go; return whether there may be more.

    Runs in a transaction that others do not wait for: who comes second leaves the work to the first.
    """
    if not await connection.fetchval("select pg_try_advisory_xact_lock($1)", PURGE_LOCK):
        return False
    has_removed = await purge_chunk(connection)
    return await purge_keys(connection) > 0 or has_removed
