"""Builds and drops the HNSW indexes of large collections.

Every search replica runs an `IndexKeeper`; an advisory lock lets one of them work at a time. It has its own
connection, since a build takes minutes and pooled sessions have a statement timeout.
"""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import asyncpg

from store.database.driver import Connection, driver_errors
from store.search.searching import SearchSettings
from store.tables.rows import index_name
from store.upkeep.housekeeping import keep_doing

KEEPER_LOCK = 7_236_410_002  # advisory lock key, ours alone
# Among 100,000 faces m 24 finds as many persons in as many milliseconds as m 16, and takes three times as long to make.
M, EF_CONSTRUCTION = 16, 128
BUILD_BYTES = 2500  # per face: 1.8 KB of graph and some air

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptIndexes:
    """What one step did. `is_keeper` is false where another replica has the work."""

    is_keeper: bool
    built: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


class IndexKeeper:
    """Keeps the indexes of the database at `url`: built from `exact_below` faces, dropped below half of that.

    `settings`: asked at each step, since they change while searches run.
    A build whose graph does not fit into `max_build_memory_mb` becomes many times slower.
    """

    def __init__(
        self,
        url: str,
        settings: Callable[[], SearchSettings],
        *,
        interval_s: float = 10.0,
        max_build_memory_mb: int = 4096,
    ) -> None:
        self._url = url
        self._settings = settings
        self._interval_s = interval_s
        self._max_build_memory_mb = max_build_memory_mb
        self._connection: Connection | None = None

    async def run(self) -> None:
        """Step every `interval_s` until cancelled; after failures less and less often, as builds cost much."""
        try:
            await keep_doing(self.run_once, "index keeper", self._interval_s)
        finally:
            await self.close()

    async def run_once(self) -> KeptIndexes:
        """Do all there is to do now, unless another keeper is at it. Raises StoreUnavailable."""
        try:
            with driver_errors():
                connection = await self._connect()
                if not await connection.fetchval("select pg_try_advisory_lock($1)", KEEPER_LOCK):
                    return KeptIndexes(is_keeper=False)
                try:
                    return await self._keep(connection)
                finally:
                    await connection.execute("select pg_advisory_unlock($1)", KEEPER_LOCK)
        except BaseException:
            # Whatever the session was doing, cancelled or broken: ending it releases the lock.
            self._terminate()
            raise

    async def close(self) -> None:
        """Close the connection."""
        self._terminate()

    async def _connect(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url,
                timeout=5.0,
                server_settings={
                    "application_name": "faceserve index keeper",
                    "statement_timeout": "0",
                    "lock_timeout": "0",
                },
            )
        return self._connection

    def _terminate(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _keep(self, connection: Connection) -> KeptIndexes:
        existing = await _existing_indexes(connection)
        counts = await _face_counts(connection)
        valid = {name for name, is_valid in existing.items() if is_valid}
        settings = self._settings()
        kept = {name for name in valid if name in counts and counts[name][2] >= settings.kept_from}
        wanted = {name for name, (_, _, face_count) in counts.items() if face_count >= settings.exact_below}

        # Whoever builds holds the lock, so an invalid index is what a crashed or cancelled build left.
        dropped = tuple(sorted(set(existing) - kept))
        for name in dropped:
            await connection.execute(f"drop index concurrently if exists {name}")
            logger.info("Dropped index %s", name)
        built = tuple(sorted(wanted - kept))
        for name in built:
            collection_pk, contract_pk, face_count = counts[name]
            logger.info("Building index %s over %d faces", name, face_count)
            # Parallel workers allocate all of it at once in shared memory: no more than the graph needs.
            memory_mb = min(64 + face_count * BUILD_BYTES // 2**20, self._max_build_memory_mb)
            await connection.execute(f"set maintenance_work_mem = '{memory_mb:d}MB'")
            await _build(connection, collection_pk, contract_pk)
        return KeptIndexes(True, built, dropped)


async def _existing_indexes(connection: Connection) -> dict[str, bool]:
    """Return the collections' indexes by name, and whether they are valid."""
    rows = await connection.fetch(
        """
        select pg_class.relname, pg_index.indisvalid
        from pg_index
        join pg_class on pg_class.oid = pg_index.indexrelid
        where pg_index.indrelid = 'embeddings'::regclass
        """
    )
    pattern = re.compile(r"embeddings_hnsw_\d+_\d+")
    return {row["relname"]: row["indisvalid"] for row in rows if pattern.fullmatch(row["relname"])}


async def _face_counts(connection: Connection) -> dict[str, tuple[int, int, int]]:
    """Return collection, contract and face count by the name that their index has or would have."""
    rows = await connection.fetch(
        "select collection_pk, contract_pk, face_count from collections where deleted_at is null and face_count > 0"
    )
    return {index_name(row["collection_pk"], row["contract_pk"]): tuple(row.values()) for row in rows}


async def _build(connection: Connection, collection_pk: int, contract_pk: int) -> None:
    sql = f"""
        create index concurrently {index_name(collection_pk, contract_pk)}
        on embeddings using hnsw ((embedding::halfvec(512)) halfvec_cosine_ops)
        with (m = {M}, ef_construction = {EF_CONSTRUCTION})
        where collection_pk = {collection_pk:d} and contract_pk = {contract_pk:d}
    """
    try:
        await connection.execute(sql)
    except asyncpg.InsufficientResourcesError:
        # Parallel workers share the graph in /dev/shm, which is 64 MB in a container unless it is asked for more.
        await connection.execute(f"drop index concurrently if exists {index_name(collection_pk, contract_pk)}")
        await connection.execute("set max_parallel_maintenance_workers = 0")
        await connection.execute(sql)
        await connection.execute("reset max_parallel_maintenance_workers")
