"""Keeps the signs of large collections up to date in memory, as they are searched."""

import asyncio
import contextlib
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

from store.database.driver import Connection
from store.database.pool import Database
from store.errors import StoreError
from store.search.signs import Signs

CHUNK = 20_000  # faces read by one statement, 0.2 s
REFRESH_S = 1.0  # how long new faces are at most read with every search instead
IN_USE_S = 60.0  # after its last search a collection has to make room for another one
DEAD_SHARE = 0.25  # of faces that were deleted since, from which on all are read anew

# The order of faces does not matter to the aggregates, as long as both see the same.
READ_CHUNK = """
    select string_agg(int8send(face_pk), ''::bytea), string_agg(substring(signs from 5), ''::bytea)
    from (
        select face_pk, bit_send(binary_quantize(embedding)) as signs
        from embeddings
        where collection_pk = $1 and contract_pk = $2 and face_pk > $3
        order by face_pk
        limit $4
    ) as chunk
"""

Key = tuple[int, int]  # collection, contract


@dataclass(slots=True)
class _Kept:
    signs: Signs
    read_at: float
    used_at: float


class SignShelf:
    """The signs of the collections that were searched last, as far as `most_faces` allows.

    Collections are read for the first time one after the other, over one connection. While a part is joined to the
    faces that one is known to have, these take their memory twice.
    """

    def __init__(self, database: Database, most_faces: int) -> None:
        self._database = database
        self._most_faces = most_faces
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()  # the last used last
        self._reading: dict[Key, asyncio.Task[None]] = {}
        self._coming: dict[Key, int] = {}  # faces of collections that are read for the first time, or wait for it
        self._turn = asyncio.Lock()

    def get(self, collection_pk: int, contract_pk: int, face_count: int) -> Signs | None:
        """Return the signs of a collection as they were a second ago or so; None until they have been read.

        None, too, where they would have to take the place of others that are in use.
        Writers of a collection wait for each other and take keys while they do, so that a face which is not in the
        signs has a key above `Signs.last`.
        """
        key = collection_pk, contract_pk
        if face_count > self._most_faces:
            return None
        kept = self._kept.get(key)
        if kept is not None and len(kept.signs) * (1 - DEAD_SHARE) > face_count + CHUNK:
            del self._kept[key]
            kept = None
        now = time.monotonic()
        if kept is None:
            if key not in self._coming and self._has_room(face_count, now):
                self._coming[key] = face_count
                self._read(key)
            return None
        if now - kept.read_at > REFRESH_S:
            self._read(key)
        kept.used_at = now
        self._kept.move_to_end(key)
        return kept.signs

    def resize(self, most_faces: int) -> None:
        """Keep the signs of so many faces from now on."""
        self._most_faces = most_faces
        self._bound()

    async def close(self) -> None:
        """Stop reading."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def settled(self) -> None:
        """Return when nothing is being read."""
        while self._reading:
            await asyncio.gather(*self._reading.values())

    def _read(self, key: Key) -> None:
        if key not in self._reading:
            task = self._reading[key] = asyncio.get_running_loop().create_task(self._refresh(key))
            task.add_done_callback(lambda _: self._reading.pop(key, None))

    async def _refresh(self, key: Key) -> None:
        kept = self._kept.get(key)
        try:
            async with self._turn if kept is None else contextlib.nullcontext():
                signs = await self._read_on(key, Signs.none() if kept is None else kept.signs)
        except StoreError:  # the next search tries again
            return
        finally:
            self._coming.pop(key, None)
        now = time.monotonic()
        self._kept[key] = _Kept(signs, now, now if kept is None else kept.used_at)
        self._bound()

    async def _read_on(self, key: Key, signs: Signs) -> Signs:
        while True:
            before = signs
            keys, words = await self._database.read(partial(_read_chunk, key=key, last=before.last))
            signs = await asyncio.to_thread(before.joined, keys, words)
            if len(signs) - len(before) < CHUNK:
                return signs

    def _has_room(self, face_count: int, now: float) -> bool:
        """Whether so many faces fit beside those that are read and those of collections in use.

        Else two collections that do not fit together would be read again and again in each other's place.
        """
        in_use = sum(len(kept.signs) for kept in self._kept.values() if now - kept.used_at < IN_USE_S)
        return in_use + sum(self._coming.values()) + face_count <= self._most_faces

    def _bound(self) -> None:
        while sum(len(kept.signs) for kept in self._kept.values()) > self._most_faces:
            self._kept.popitem(last=False)


async def _read_chunk(connection: Connection, key: Key, last: int) -> tuple[bytes, bytes]:
    row = await connection.fetchrow(READ_CHUNK, *key, last, CHUNK)
    assert row is not None  # aggregates give one row
    return row[0] or b"", row[1] or b""
