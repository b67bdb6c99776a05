"""An open gallery without its operations: how it is opened, changed while it runs, kept in order, and closed."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Concatenate, ParamSpec, Self, TypeVar

from store.database.driver import Connection
from store.database.pool import Database, PoolSettings, PoolUsage
from store.search.searching import SearchSettings
from store.search.sign_shelf import SignShelf
from store.tables.idempotency import once
from store.types import Idempotency
from store.upkeep.purging import purge_some

P = ParamSpec("P")
T = TypeVar("T")


class OpenGallery:
    """The connections of a gallery, and how it searches."""

    def __init__(self, database: Database, settings: SearchSettings, sign_faces: int) -> None:
        self._database = database
        self._settings = settings
        self._signs = SignShelf(database, sign_faces)

    @classmethod
    async def open(
        cls,
        url: str,
        *,
        min_connections: int = 1,
        max_connections: int = 4,
        statement_timeout_s: float = 5.0,
        ef_search: int = 200,
        exact_below: int = 20_000,
        rerank: int = 40,
        sign_faces: int = 0,
        wait_s: float = 30.0,
    ) -> Self:
        """Connect to a migrated database, trying for `wait_s` while it is not reachable.

        See `PoolSettings` and `SearchSettings` for what the settings mean; ValueError where one is out of bounds.
        `sign_faces`: of how many faces of large collections the signs are kept in memory, 72 bytes each.
        Raises StoreUnavailable, SchemaMismatch, UnsupportedDatabase.
        """
        pool = PoolSettings(min_connections, max_connections, ef_search, statement_timeout_s)
        settings = SearchSettings(exact_below, rerank)
        return cls(await Database.open(url, pool, wait_s=wait_s), settings, sign_faces)

    @property
    def settings(self) -> SearchSettings:
        """How is searched at present."""
        return self._settings

    @property
    def pool_usage(self) -> PoolUsage:
        """The connections at present."""
        return self._database.usage

    async def close(self) -> None:
        """Close the connections, after the operations under way."""
        await self._signs.close()
        await self._database.close()

    async def reconfigure(
        self,
        *,
        ef_search: int | None = None,
        exact_below: int | None = None,
        rerank: int | None = None,
        sign_faces: int | None = None,
    ) -> None:
        """Change how is searched, while searches run. Raises ValueError for values out of bounds."""
        changes = {"exact_below": exact_below, "rerank": rerank}
        settings = replace(self._settings, **{name: value for name, value in changes.items() if value is not None})
        if ef_search not in (None, self._database.settings.ef_search):
            await self._database.change_ef_search(ef_search)
        self._settings = settings
        if sign_faces is not None:
            self._signs.resize(sign_faces)

    async def signs_read(self) -> None:
        """Return when the signs that searches have asked for are in memory, or could not be read."""
        await self._signs.settled()

    async def purge(self) -> None:
        """Remove what force-deleted collections held, and idempotency keys that have expired."""
        while await self._database.write(purge_some):
            pass

    async def _read(
        self,
        operation: Callable[Concatenate[Connection, str, P], Awaitable[T]],
        tenant: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await self._database.read(lambda connection: operation(connection, tenant, *args, **kwargs))

    async def _write(
        self,
        idempotency: Idempotency | None,
        kind: str,
        operation: Callable[Concatenate[Connection, str, P], Awaitable[T]],
        tenant: str,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        async def run(connection: Connection) -> T:
            return await operation(connection, tenant, *args, **kwargs)

        return await self._database.write(lambda connection: once(connection, tenant, idempotency, kind, run))
