"""Writes that a client may repeat: the outcome is kept under its key, in the transaction of the write itself."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from store.database.driver import Connection
from store.errors import IdempotencyKeyReused, InvalidValue, OutcomeUnreadable
from store.tables.values import check_text
from store.types import Calibration, Collection, Enrollment, FaceRecord, Idempotency, Person, Replay, RestoreCounts

T = TypeVar("T")

KEPT_FOR_S = 24 * 3600
OUTCOME_TYPES: dict[str, Any] = {
    "nothing": None,
    "count": int,
    "calibration": Calibration,
    "collection": Collection,
    "person": Person,
    "enrollment": Enrollment,
    "face": FaceRecord,
    "faces": tuple[FaceRecord, ...],
    "restored": RestoreCounts,
}


async def once(
    connection: Connection,
    tenant: str,
    idempotency: Idempotency | None,
    kind: str,
    operation: Callable[[Connection], Awaitable[T]],
) -> T:
    """Return the outcome of `operation`, run now or, under a key that was used, the first time.

    `kind` names the outcome's type. The key's row is inserted first: of two writes at the same time the second
    waits on the unique index until the first commits, and then finds its outcome, or rolls back, and then runs.
    Raises IdempotencyKeyReused, OutcomeUnreadable.
    """
    if idempotency is None:
        return await operation(connection)
    for field in ("key", "fingerprint", "note"):
        check_text(f"idempotency {field}", getattr(idempotency, field))
    while not await _claim(connection, tenant, idempotency):
        found = await find_outcome(connection, tenant, idempotency)
        if found is not None:  # else it expired in between
            first: T = found.outcome
            return first
    outcome = await operation(connection)
    await connection.execute(
        "update idempotency_keys set outcome = $3 where tenant = $1 and key = $2",
        tenant,
        idempotency.key,
        {"kind": kind, "value": _adapter(kind).dump_python(outcome, mode="json")},
    )
    return outcome


async def find_outcome(connection: Connection, tenant: str, idempotency: Idempotency) -> Replay | None:
    """Return what was done under the key, if anything.

    Raises IdempotencyKeyReused for another fingerprint, OutcomeUnreadable where another release wrote it.
    """
    try:
        check_text("idempotency key", idempotency.key)
    except InvalidValue:
        return None
    row = await connection.fetchrow(
        "select fingerprint, note, outcome from idempotency_keys where tenant = $1 and key = $2",
        tenant,
        idempotency.key,
    )
    if row is None:
        return None
    if row["fingerprint"] != idempotency.fingerprint:
        raise IdempotencyKeyReused(idempotency.key)
    kept = row["outcome"]
    try:
        return Replay(_adapter(kept["kind"]).validate_python(kept["value"]), row["note"])
    except (KeyError, ValidationError) as exc:  # a kind or a field that this release does not know, or misses
        raise OutcomeUnreadable(idempotency.key) from exc


async def purge_keys(connection: Connection) -> int:
    """Forget keys older than a day, at most 10,000 of them; return how many."""
    status = await connection.execute(
        """
        delete from idempotency_keys
        where (tenant, key) in (
            select tenant, key
            from idempotency_keys
            where created_at < now() - make_interval(secs => $1)
            limit 10000
        )
        """,
        float(KEPT_FOR_S),
    )
    return int(status.rpartition(" ")[2])


async def _claim(connection: Connection, tenant: str, idempotency: Idempotency) -> bool:
    status: str = await connection.execute(
        """
        insert into idempotency_keys (tenant, key, fingerprint, note)
        values ($1, $2, $3, $4)
        on conflict (tenant, key) do nothing
        """,
        tenant,
        idempotency.key,
        idempotency.fingerprint,
        idempotency.note,
    )
    return status == "INSERT 0 1"


@cache  # building one takes about 1 ms
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(OUTCOME_TYPES[kind])
