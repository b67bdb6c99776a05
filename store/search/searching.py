"""Who is nearest to a probe: exact for small collections, by signs or through an HNSW index for large ones.

An exact scan reads the collection's rows through a btree. Signs in memory, or the graph of half-precision vectors where
they are not there, say which candidates are near; those are ordered by the exact distance, as are the faces that came
after the signs were read. Each person's best face is kept. Thresholds are the caller's business: a distance in WHERE
would defeat the index.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from pgvector import Vector

from store.database.driver import Connection, Row
from store.database.pool import MAX_EF_SEARCH, Database
from store.errors import InvalidValue
from store.search.signs import Signs
from store.search.statements import By, search_exactly, search_indexed, search_signed
from store.tables import collection_table, person_table
from store.tables.rows import person_from
from store.tables.values import check_embeddings, is_storable
from store.types import Candidate, NearestFace, Person, SearchOutcome, Verification

FACES_PER_PERSON = 4  # candidates fetched at first for each person wanted; most persons have fewer faces
DEEPER = 8  # times as many candidates at each further attempt

# The nearest face by its embedding is among the nearest 50 by signs in a million; dead faces take places, too.
SIGNED_CANDIDATES = 64
MOST_FRESH = 5000  # faces that came after the signs were read; 7 ms for one probe

SignsLookup = Callable[[int, int, int], Signs | None]  # collection, contract, faces; as SignShelf.get


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Where the tiers meet, and how many candidates are fetched.

    `exact_below`: faces below which every face is compared. From there on a collection gets an index, which it keeps,
    unused, down to half of that.
    `rerank`: candidates at least that are fetched per probe and ordered by exact distance, `ef_search` at most.
    """

    exact_below: int = 20_000
    rerank: int = 40

    def __post_init__(self) -> None:
        if self.exact_below < 1 or not 1 <= self.rerank <= MAX_EF_SEARCH:
            raise ValueError(f"expected exact_below >= 1 and rerank 1 to {MAX_EF_SEARCH}, not {self}")

    @property
    def kept_from(self) -> int:
        """Faces from which an index that exists is kept."""
        return self.exact_below // 2


@dataclass(frozen=True, eq=False, slots=True)
class _Search:
    """What is asked for, in which collection. `ef_search`: of the pool's sessions."""

    probes: npt.NDArray[np.float32]
    limit: int
    by: By
    exclude_person: str | None
    collection: Row
    settings: SearchSettings
    ef_search: int
    is_large: bool

    @property
    def candidates(self) -> int:
        """How many candidates per probe are fetched at first."""
        return max(self.settings.rerank, self.limit * FACES_PER_PERSON)

    @property
    def wanted(self) -> int:
        """How many answers there may be for each probe."""
        persons: int = self.collection["person_count"] + self.collection["anonymous_count"]
        faces: int = self.collection["face_count"]
        return min(self.limit, persons if self.by == "person" else faces)

    def arguments(self, candidates: int) -> tuple[object, ...]:
        """Return the parameters $1 to $5."""
        vectors = [Vector(probe) for probe in self.probes]
        return vectors, candidates, self.limit, self.exclude_person, self.collection["collection_pk"]

    def has_enough(self, candidates: tuple[tuple[Candidate, ...], ...]) -> bool:
        return all(len(of_probe) >= self.wanted for of_probe in candidates)

    def outcome(self, candidates: tuple[tuple[Candidate, ...], ...], *, is_exact: bool) -> SearchOutcome:
        return SearchOutcome(self.collection["threshold"], candidates, is_exact=is_exact)


async def search_collection(
    database: Database,
    tenant: str,
    collection_id: str,
    contract_id: str,
    probes: npt.NDArray[np.float32],
    *,
    limit: int,
    by: By,
    exclude_person: str | None,
    settings: SearchSettings,
    exactly: bool,
    find_signs: SignsLookup,
) -> SearchOutcome:
    """Return for each of `probes`, float32 (n, 512), up to `limit` persons by their best face, or faces.

    `exactly`: compared with every face, whatever the size. Equal similarities are in the order of enrolment. Fetches
    deeper where many faces of few persons filled the candidates. Raises CollectionModelMismatch.
    """
    check_embeddings("probes", probes)
    if limit < 1:
        raise InvalidValue("limit", "expected at least 1")
    if exclude_person is not None and not is_storable(exclude_person):
        exclude_person = None

    async def begin(connection: Connection) -> SearchOutcome | tuple[_Search, Signs]:
        collection = await collection_table.find(connection, tenant, collection_id)
        collection_table.require_contract(collection, contract_id)
        is_large = not exactly and collection["face_count"] >= settings.exact_below
        ef_search = database.settings.ef_search
        search = _Search(probes, limit, by, exclude_person, collection, settings, ef_search, is_large)
        if not len(probes):
            return search.outcome((), is_exact=True)
        keys = collection["collection_pk"], collection["contract_pk"]
        signs = find_signs(*keys, collection["face_count"]) if is_large else None
        return await _search_faces(connection, search) if signs is None else (search, signs)

    begun = await database.read(begin)
    if isinstance(begun, SearchOutcome):
        return begun
    search, signs = begun
    found = await _search_by_signs(database, search, signs)
    return await database.read(partial(_search_faces, search=search)) if found is None else found


async def verify_person(
    connection: Connection,
    tenant: str,
    collection_id: str,
    person_id: str,
    contract_id: str,
    probes: npt.NDArray[np.float32],
) -> Verification:
    """Return for each of `probes`, float32 (n, 512), the person's nearest face. Raises CollectionModelMismatch."""
    check_embeddings("probes", probes)
    collection = await collection_table.find(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    person = await person_table.find(connection, collection, person_id)
    rows = await connection.fetch(
        """
        select nearest.face_id, nearest.similarity
        from unnest($3::vector[]) with ordinality as probes (embedding, number)
        left join lateral (
            select faces.face_id, 1 - (embeddings.embedding <=> probes.embedding) as similarity
            from faces
            join embeddings using (face_pk)
            where faces.person_pk = $1 and embeddings.contract_pk = $2
            order by embeddings.embedding <=> probes.embedding, faces.face_id
            limit 1
        ) as nearest on true
        order by probes.number
        """,
        person["person_pk"],
        collection["contract_pk"],
        [Vector(probe) for probe in probes],
    )
    return Verification(
        person=person_from(person),
        threshold=collection["threshold"],
        nearest=tuple(
            None if row["face_id"] is None else NearestFace(str(row["face_id"]), row["similarity"]) for row in rows
        ),
    )


async def _search_by_signs(database: Database, search: _Search, signs: Signs) -> SearchOutcome | None:
    """Return what the signs lead to; None where that is too little, or they are of long ago.

    They are compared while no connection is held: a hundred probes in a million faces take about a second.
    """
    count = max(SIGNED_CANDIDATES, search.candidates)
    for candidates_per_probe in (count, count * DEEPER):
        near = await asyncio.to_thread(_near, signs, search.probes, candidates_per_probe)
        arguments = (*search.arguments(MOST_FRESH), search.collection["contract_pk"], *near, signs.last)
        rows = await database.read(partial(_fetch, sql=search_signed(search.by), arguments=arguments))
        if rows[0]["compared"] >= MOST_FRESH * len(search.probes):
            return None  # there may be more fresh ones
        candidates = _candidates(rows, len(search.probes))
        if search.has_enough(candidates):
            return search.outcome(candidates, is_exact=False)
    return None


async def _search_faces(connection: Connection, search: _Search) -> SearchOutcome:
    """Return what the index finds, or a comparison with every face."""
    collection = search.collection
    for count, ef_search in _depths(search):
        if ef_search is None:
            sql, arguments = search_exactly(search.by), (*search.arguments(count), collection["contract_pk"])
        else:
            sql = search_indexed(search.by, collection["collection_pk"], collection["contract_pk"])
            arguments = search.arguments(count)
        if ef_search in (None, search.ef_search):
            rows = await _fetch(connection, sql, arguments)
        else:
            async with connection.transaction():  # the setting ends with it
                await connection.execute("select set_config('hnsw.ef_search', $1, true)", str(ef_search))
                rows = await _fetch(connection, sql, arguments)
        candidates = _candidates(rows, len(search.probes))
        is_last = ef_search is None and count >= collection["face_count"]
        if is_last or search.has_enough(candidates):
            break
    return search.outcome(candidates, is_exact=ef_search is None)


def _depths(search: _Search) -> Iterator[tuple[int, int | None]]:
    """Each attempt: how many candidates per probe, from the index with this `ef_search`, or of all faces."""
    count = search.candidates
    if search.is_large and search.collection["index_state"] == "ready":
        if search.limit <= search.ef_search:
            yield min(count, search.ef_search), search.ef_search
        yield MAX_EF_SEARCH, MAX_EF_SEARCH
        count = MAX_EF_SEARCH * DEEPER
    while True:
        yield count, None
        count *= DEEPER


async def _fetch(connection: Connection, sql: str, arguments: tuple[object, ...]) -> list[Row]:
    rows: list[Row] = await connection.fetch(sql, *arguments)
    return rows


def _near(signs: Signs, probes: npt.NDArray[np.float32], count: int) -> tuple[list[int], list[int]]:
    """Return the keys of the faces that are near by signs, and the number, from 1, of the probe that each is near."""
    keys = [signs.nearest(probe, count) for probe in probes]
    numbers = np.repeat(np.arange(1, len(probes) + 1), [len(of_probe) for of_probe in keys])
    return np.concatenate(keys).tolist(), numbers.tolist()


def _candidates(rows: list[Row], probe_count: int) -> tuple[tuple[Candidate, ...], ...]:
    found: list[list[Candidate]] = [[] for _ in range(probe_count)]
    persons: dict[str, Person] = {}  # one that several probes look like is built, and travels between replicas, once
    for row in rows:
        if row["face_id"] is not None:
            person = persons.get(row["id"]) or persons.setdefault(row["id"], person_from(row))
            found[row["number"] - 1].append(Candidate(person, str(row["face_id"]), row["similarity"]))
    return tuple(map(tuple, found))
