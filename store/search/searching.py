"""Who is nearest to a probe: exact for small collections, by signs or through an HNSW index for large ones.

An exact scan reads the collection's rows through a btree. Signs in memory, or the graph of half-precision vectors where
they are not there, say which candidates are near; those are ordered by the exact distance, as are the faces that came
after the signs were read. Each person's best face is kept. Thresholds are the caller's business: a distance in WHERE
would defeat the index.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pgvector import Vector

from store.database.driver import Connection, Row
from store.database.pool import MAX_EF_SEARCH
from store.errors import InvalidValue
from store.search.signs import Signs
from store.tables import collection_table, person_table
from store.tables.rows import PERSON_COLUMNS, person_from
from store.tables.values import check_embeddings, is_storable
from store.types import Candidate, NearestFace, Person, SearchOutcome, Verification

FACES_PER_PERSON = 4  # candidates fetched at first for each person wanted; most persons have fewer faces
DEEPER = 8  # times as many candidates at each further attempt

# The nearest face by its embedding is among the nearest 50 by signs in a million; dead faces take places, too.
SIGNED_CANDIDATES = 64
MOST_FRESH = 5000  # faces that came after the signs were read; 7 ms for one probe

EXACT_CANDIDATES = """
    select face_pk, embeddings.embedding <=> probes.embedding as distance
    from embeddings
    where collection_pk = {collection_pk:d} and contract_pk = {contract_pk:d}
    order by embeddings.embedding <=> probes.embedding, face_pk
    limit $2
"""

# The literals let the planner prove that the partial index covers the query; with parameters it cannot.
INDEXED_CANDIDATES = """
    select face_pk, embeddings.embedding <=> probes.embedding as distance
    from embeddings
    where collection_pk = {collection_pk:d} and contract_pk = {contract_pk:d}
    order by embeddings.embedding::halfvec(512) <=> probes.embedding::halfvec(512)
    limit $2
"""

OF_EACH_PROBE = """
    select probes.number, nearest.face_pk, nearest.distance
    from probes
    cross join lateral ({candidates}) as nearest
"""

# Candidates are $5, each for the probe of the number in $6; $2 is how many fresh faces there may be, $7 the last key
# that is not fresh.
SIGNED = """
    select probes.number, near.face_pk, embeddings.embedding <=> probes.embedding as distance
    from unnest($5::bigint[], $6::bigint[]) as near (face_pk, number)
    join probes on probes.number = near.number
    join embeddings on embeddings.face_pk = near.face_pk and contract_pk = {contract_pk:d}
    union all
    select probes.number, fresh.face_pk, fresh.embedding <=> probes.embedding
    from probes
    cross join (
        select face_pk, embedding
        from embeddings
        where collection_pk = {collection_pk:d} and contract_pk = {contract_pk:d} and face_pk > $7
        order by face_pk
        limit $2
    ) as fresh
"""

BEST_FACES = """
    with probes as (
        select number, embedding
        from unnest($1::vector[]) with ordinality as probes (embedding, number)
    ),
    candidates as materialized ({candidates}),
    best as (
        select distinct on (candidates.number, faces.person_pk)
            candidates.number, faces.person_pk, faces.face_id, candidates.distance
        from candidates
        join faces using (face_pk)
        where faces.person_pk is distinct from (
            select person_pk from persons where collection_pk = {collection_pk:d} and id = $4
        )
        order by candidates.number, faces.person_pk, candidates.distance, faces.face_id
    ),
    ranked as (
        select
            number, person_pk, face_id, distance,
            row_number() over (partition by number order by distance, person_pk) as rank
        from best
    )
    select
        probes.number,
        ranked.face_id,
        1 - ranked.distance as similarity,
        (select count(*) from candidates) as compared,
        {person_columns}
    from probes
    left join ranked on ranked.number = probes.number and ranked.rank <= $3
    left join persons using (person_pk)
    order by probes.number, ranked.rank
"""


SignsLookup = Callable[[int, int, int], Signs | None]  # collection, contract, faces; as SignShelf.get


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """Where the tiers meet, and how many candidates are fetched.

    `exact_below`: faces from which a collection gets an index, which it keeps down to half of that.
    `rerank`: candidates at least that are fetched per probe and ordered by exact distance, `ef_search` at most.
    """

    exact_below: int = 20_000
    rerank: int = 40

    def __post_init__(self) -> None:
        if self.exact_below < 1 or not 1 <= self.rerank <= MAX_EF_SEARCH:
            raise ValueError(f"expected exact_below >= 1 and rerank 1 to {MAX_EF_SEARCH}, not {self}")

    @property
    def kept_from(self) -> int:
        """Faces from which an index that exists is kept and used."""
        return self.exact_below // 2


@dataclass(frozen=True, slots=True)
class _Depth:
    """One attempt: how many candidates per probe, by `signs`, from the index with this `ef_search`, or of all faces."""

    candidates: int
    ef_search: int | None = None
    signs: Signs | None = None

    @property
    def is_exact(self) -> bool:
        return self.ef_search is None and self.signs is None


async def search_collection(
    connection: Connection,
    tenant: str,
    collection_id: str,
    contract_id: str,
    probes: npt.NDArray[np.float32],
    *,
    limit: int,
    exclude_person: str | None,
    settings: SearchSettings,
    ef_search: int,
    exactly: bool = False,
    find_signs: SignsLookup = lambda *_: None,
) -> SearchOutcome:
    """Return for each of `probes`, float32 (n, 512), up to `limit` persons by their best face.

    `exactly`: compared with every face, whatever the size. Equal similarities are in the order of enrolment. Fetches
    deeper where many faces of few persons filled the candidates. Raises CollectionModelMismatch.
    """
    check_embeddings("probes", probes)
    if limit < 1:
        raise InvalidValue("limit", "expected at least 1")
    collection = await collection_table.find(connection, tenant, collection_id)
    collection_table.require_contract(collection, contract_id)
    if exclude_person is not None and not is_storable(exclude_person):
        exclude_person = None
    if not len(probes):
        return SearchOutcome(collection["threshold"], (), is_exact=True)
    wanted = min(limit, collection["person_count"])
    is_large = not exactly and collection["face_count"] >= settings.kept_from
    signs = (
        find_signs(collection["collection_pk"], collection["contract_pk"], collection["face_count"])
        if is_large
        else None
    )
    for depth in _depths(collection, settings, ef_search, limit, is_large, signs):
        rows = await _fetch(connection, collection, depth, ef_search, probes, limit, exclude_person)
        if depth.signs is not None and rows[0]["compared"] >= MOST_FRESH * len(probes):
            continue  # there may be more fresh ones: these signs are of long ago
        candidates = _candidates(rows, len(probes))
        is_last = depth.is_exact and depth.candidates >= collection["face_count"]
        if is_last or all(len(persons) >= wanted for persons in candidates):
            break
    return SearchOutcome(collection["threshold"], candidates, is_exact=depth.is_exact)


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


def statement(collection_pk: int, contract_pk: int, candidates: str) -> str:
    """The search in one collection. Parameters: probes, candidates per probe, persons per probe, excluded person."""
    return BEST_FACES.format(
        candidates=candidates.format(collection_pk=collection_pk, contract_pk=contract_pk),
        collection_pk=collection_pk,
        person_columns=PERSON_COLUMNS,
    )


def _depths(
    collection: Row, settings: SearchSettings, ef_search: int, limit: int, is_large: bool, signs: Signs | None
) -> Iterator[_Depth]:
    count = max(settings.rerank, limit * FACES_PER_PERSON)
    if signs is not None:
        yield _Depth(max(SIGNED_CANDIDATES, count), signs=signs)
        yield _Depth(max(SIGNED_CANDIDATES, count) * DEEPER, signs=signs)
    if is_large and collection["index_state"] == "ready":
        if limit <= ef_search:
            yield _Depth(min(count, ef_search), ef_search)
        yield _Depth(MAX_EF_SEARCH, MAX_EF_SEARCH)
        count = MAX_EF_SEARCH * DEEPER
    while True:
        yield _Depth(count)
        count *= DEEPER


async def _fetch(
    connection: Connection,
    collection: Row,
    depth: _Depth,
    ef_search: int,
    probes: npt.NDArray[np.float32],
    limit: int,
    exclude_person: str | None,
) -> list[Row]:
    keys = collection["collection_pk"], collection["contract_pk"]
    vectors = [Vector(probe) for probe in probes]
    rows: list[Row]
    if depth.signs is not None:
        near = await asyncio.to_thread(_near, depth.signs, probes, depth.candidates)
        sql = statement(*keys, SIGNED)
        return list(await connection.fetch(sql, vectors, MOST_FRESH, limit, exclude_person, *near, depth.signs.last))
    sql = statement(*keys, OF_EACH_PROBE.format(candidates=EXACT_CANDIDATES if depth.is_exact else INDEXED_CANDIDATES))
    arguments = (vectors, depth.candidates, limit, exclude_person)
    if depth.ef_search in (None, ef_search):
        rows = await connection.fetch(sql, *arguments)
        return rows
    async with connection.transaction():  # the setting ends with it
        await connection.execute("select set_config('hnsw.ef_search', $1, true)", str(depth.ef_search))
        rows = await connection.fetch(sql, *arguments)
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
