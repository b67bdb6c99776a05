"""What the database driver can fail with, turned once into errors of the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import asyncpg

from store.errors import DatabaseRefused, InvalidValue, StoreUnavailable

Connection: TypeAlias = Any  # asyncpg.Connection, or the pool's proxy for one; asyncpg has no stubs
Row: TypeAlias = Any  # asyncpg.Record

INVALID = (
    asyncpg.DataError,  # class 22, found by the server
    asyncpg.exceptions._base.DataError,  # found by the driver before it sends
    asyncpg.CheckViolationError,
)
# What trying again does not change, told without the names that the server tells.
REFUSED = {
    asyncpg.InvalidAuthorizationSpecificationError: "it does not accept the user or the password of the URL",
    asyncpg.InvalidCatalogNameError: "there is no database of the name in the URL",
    asyncpg.ClientConfigurationError: "expected a URL like postgresql://user:password@host:5432/database",
    asyncpg.InsufficientPrivilegeError: "the user of the URL lacks a privilege",
}
UNAVAILABLE = (
    OSError,  # refused, reset, no such socket; TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutdown, crash, starting up, statement timeout
    asyncpg.InsufficientResourcesError,  # too many connections, disk full, out of memory
    asyncpg.ReadOnlySQLTransactionError,  # the former primary, after a failover
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,  # deadlock, serialisation
    asyncpg.InterfaceError,  # the connection or the pool is closed
    # A session that the server has ended, but whose socket is not closed yet, fails with "another operation is in
    # progress" before it sends anything (asyncpg 0.32). Also: no primary among the hosts of the URL.
    asyncpg.InternalClientError,
)
LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)


@contextmanager
def driver_errors() -> Iterator[None]:
    """Raise StoreUnavailable, DatabaseRefused or InvalidValue for what the driver raises inside."""
    try:
        yield
    except INVALID as exc:
        raise InvalidValue("request", "the database does not accept it") from exc
    except tuple(REFUSED) as exc:
        raise DatabaseRefused(next(reason for kind, reason in REFUSED.items() if isinstance(exc, kind))) from exc
    except UNAVAILABLE as exc:
        raise StoreUnavailable() from exc


def is_connection_lost(exc: BaseException) -> bool:
    """Whether a new connection may do what this one could not: the server went away, or the pool was replaced."""
    if isinstance(exc, (TimeoutError, asyncpg.QueryCanceledError, *INVALID)):
        return False
    return isinstance(exc, LOST)
