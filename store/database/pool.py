"""Connections to PostgreSQL that survive its restarts. Every statement of the store goes through here."""

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import asyncpg
import numpy as np
import numpy.typing as npt
from pgvector import Vector

from store.database.driver import Connection, driver_errors, is_connection_lost
from store.database.migrate import check_support
from store.database.schema import check_schema
from store.errors import DatabaseRefused, StoreUnavailable

T = TypeVar("T")

RETRY_DELAYS_S = (0.02, 0.1)  # a restarted server leaves each pooled connection broken once
MAX_EF_SEARCH = 1000  # pgvector's bound; beyond it the startup packet's value silently becomes 40


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """How one replica connects. Search is bound by the CPU of the database: more connections than its cores only queue.

    `ef_search`: candidates that an HNSW scan keeps, 1 to 1000.
    """

    min_connections: int = 1
    max_connections: int = 4
    ef_search: int = 200
    statement_timeout_s: float = 5.0
    acquire_timeout_s: float = 2.0
    connect_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if not 1 <= self.ef_search <= MAX_EF_SEARCH:
            raise ValueError(f"ef_search must be 1 to {MAX_EF_SEARCH}, not {self.ef_search}")
        if not 0 <= self.min_connections <= self.max_connections or self.max_connections < 1:
            raise ValueError(f"cannot keep {self.min_connections} to {self.max_connections} connections")
        if min(self.statement_timeout_s, self.acquire_timeout_s, self.connect_timeout_s) <= 0:
            raise ValueError("timeouts must be above zero")


@dataclass(frozen=True, slots=True)
class PoolUsage:
    """Connections that are `open`, those of them that are `in_use`, and operations `waiting` for one."""

    open: int
    in_use: int
    waiting: int


class Database:
    """A pool of connections that can be replaced while it is in use."""

    def __init__(self, url: str, settings: PoolSettings, pool: Any) -> None:
        self._url = url
        self._settings = settings
        self._pool = pool
        self._waiting = 0
        self._is_replacing = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    @classmethod
    async def open(cls, url: str, settings: PoolSettings, *, wait_s: float = 30.0) -> "Database":
        """Connect, trying for `wait_s` while the server is not reachable.

        Raises StoreUnavailable, UnsupportedDatabase, SchemaMismatch, and at once DatabaseRefused.
        """
        deadline = asyncio.get_running_loop().time() + wait_s
        while True:
            try:
                with driver_errors():
                    await _check(url, settings)
                    return cls(url, settings, await open_pool(url, settings))
            except DatabaseRefused:
                raise
            except StoreUnavailable:
                if asyncio.get_running_loop().time() > deadline:
                    raise
            await asyncio.sleep(0.5)

    @property
    def settings(self) -> PoolSettings:
        """The settings that new connections get."""
        return self._settings

    @property
    def usage(self) -> PoolUsage:
        """How the pool is used at present."""
        size = self._pool.get_size()
        return PoolUsage(size, size - self._pool.get_idle_size(), self._waiting)

    async def read(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """Run an operation that changes nothing; on a lost connection it runs again on a new one."""
        return await self._run(operation, is_write=False)

    async def write(self, operation: Callable[[Connection], Awaitable[T]]) -> T:
        """Run an operation in a transaction and commit it.

        Runs again only where nothing was sent yet. StoreUnavailable from the commit itself leaves open whether it
        happened; an idempotency key tells.
        """
        return await self._run(operation, is_write=True)

    async def change_ef_search(self, ef_search: int) -> None:
        """Replace the pool by one with the new value. Statements under way end on the old one."""
        settings = replace(self._settings, ef_search=ef_search)
        async with self._is_replacing:
            with driver_errors():
                pool = await open_pool(self._url, settings)
            former, self._pool, self._settings = self._pool, pool, settings
        closing = asyncio.create_task(former.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close all connections, after the statements under way."""
        with driver_errors():
            await asyncio.gather(self._pool.close(), *self._closing)

    async def _run(self, operation: Callable[[Connection], Awaitable[T]], *, is_write: bool) -> T:
        with driver_errors():
            for delay_s in (*RETRY_DELAYS_S, None):
                may_have_written = False
                try:
                    async with self._acquired() as connection:
                        if not is_write:
                            return await operation(connection)
                        async with connection.transaction():
                            may_have_written = True
                            return await operation(connection)
                except Exception as exc:
                    if delay_s is None or may_have_written or not is_connection_lost(exc):
                        raise
                await asyncio.sleep(delay_s * random.uniform(0.5, 1.5))
        raise AssertionError("the last attempt returns or raises")

    @contextlib.asynccontextmanager
    async def _acquired(self) -> AsyncIterator[Connection]:
        pool = self._pool  # it may be replaced meanwhile, and a connection goes back to its own
        self._waiting += 1
        try:
            connection = await pool.acquire(timeout=self._settings.acquire_timeout_s)
        finally:
            self._waiting -= 1
        try:
            yield connection
        finally:
            await pool.release(connection)


async def open_pool(url: str, settings: PoolSettings) -> Any:
    """Return an asyncpg pool whose sessions are set up for search.

    Session settings travel in the startup packet and nothing SETs them later, so giving a connection back needs no
    reset: 249 -> 122 us for a small statement.
    """
    return await asyncpg.create_pool(
        url,
        min_size=settings.min_connections,
        max_size=settings.max_connections,
        timeout=settings.connect_timeout_s,
        # The server's statement timeout comes first and leaves the connection usable; this is for a dead network.
        command_timeout=settings.statement_timeout_s + 1.0,
        max_cached_statement_lifetime=0,  # no expiry: preparing again every 5 minutes gains nothing
        init=_set_codecs,
        reset=_keep_session,
        server_settings={
            "application_name": "faceserve",
            "statement_timeout": str(max(1, round(settings.statement_timeout_s * 1000))),
            "idle_in_transaction_session_timeout": "10000",  # a frozen replica lets go of its collection lock
            "hnsw.ef_search": str(settings.ef_search),
            "hnsw.iterative_scan": "off",
            "jit": "off",
            "timezone": "UTC",
            # One request, one core: parallel workers help a lone request and cost throughput under load.
            "max_parallel_workers_per_gather": "0",
        },
    )


async def _check(url: str, settings: PoolSettings) -> None:
    connection = await asyncpg.connect(url, timeout=settings.connect_timeout_s)
    try:
        await check_schema(connection)
        await check_support(connection)
    finally:
        await connection.close()


async def _set_codecs(connection: Connection) -> None:
    schema = await connection.fetchval(
        "select extnamespace::regnamespace::text from pg_extension where extname = 'vector'"
    )
    await connection.set_type_codec(
        "vector", schema=schema, encoder=_encode_vector, decoder=_decode_vector, format="binary"
    )
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_json, decoder=_decode_json, format="binary"
    )


async def _keep_session(connection: Connection) -> None:
    pass


def _encode_vector(embedding: Vector | npt.NDArray[np.float32]) -> bytes:
    # Inside an array it must be a Vector: asyncpg takes a list of ndarrays for one array of more dimensions.
    return (embedding if isinstance(embedding, Vector) else Vector(embedding)).to_binary()


def _decode_vector(encoded: bytes) -> npt.NDArray[np.float32]:
    return np.asarray(Vector.from_binary(encoded).to_numpy(), dtype=np.float32)


def _encode_json(value: Any) -> bytes:
    return b"\x01" + json.dumps(value, allow_nan=False).encode()  # jsonb's wire format, version 1


def _decode_json(encoded: bytes) -> Any:
    return json.loads(encoded[1:])
