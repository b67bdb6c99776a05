"""The SQL of a search: which candidates, and the best of them.

Parameters: $1 probes, $2 candidates per probe, $3 answers per probe, $4 who is left out, $5 collection, $6 contract.
Only the tier that reads an HNSW index has a text for each collection; the others have one, planned once on each
connection.
"""

from typing import Literal

from store.tables.rows import PERSON_COLUMNS

By = Literal["person", "face"]  # of each person the best face, or every face

EXACT_CANDIDATES = """
    select face_pk, embeddings.embedding <=> probes.embedding as distance
    from embeddings
    where collection_pk = $5 and contract_pk = $6
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

# Candidates are $7, each for the probe of the number in $8; $2 is how many fresh faces there may be, $9 the last key
# that is not fresh.
SIGNED = """
    select probes.number, near.face_pk, embeddings.embedding <=> probes.embedding as distance
    from unnest($7::bigint[], $8::bigint[]) as near (face_pk, number)
    join probes on probes.number = near.number
    join embeddings on embeddings.face_pk = near.face_pk and contract_pk = $6
    union all
    select probes.number, fresh.face_pk, fresh.embedding <=> probes.embedding
    from probes
    cross join (
        select face_pk, embedding
        from embeddings
        where collection_pk = $5 and contract_pk = $6 and face_pk > $9
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
        select distinct on (candidates.number, {best_of})
            candidates.number, faces.person_pk, faces.face_id, candidates.distance
        from candidates
        join faces using (face_pk)
        where faces.person_pk is distinct from (
            select person_pk from persons where collection_pk = $5 and id = $4
        )
        order by candidates.number, {best_of}, candidates.distance, faces.face_id
    ),
    ranked as (
        select
            number, person_pk, face_id, distance,
            row_number() over (partition by number order by distance, person_pk, face_id) as rank
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


def search_exactly(by: By) -> str:
    """Compare every face of the collection."""
    return _best(OF_EACH_PROBE.format(candidates=EXACT_CANDIDATES), by)


def search_signed(by: By) -> str:
    """Compare the faces that are near by their signs, and those that came since."""
    return _best(SIGNED, by)


def search_indexed(by: By, collection_pk: int, contract_pk: int) -> str:
    """Compare what the collection's HNSW index finds. It has no $6."""
    candidates = INDEXED_CANDIDATES.format(collection_pk=collection_pk, contract_pk=contract_pk)
    return _best(OF_EACH_PROBE.format(candidates=candidates), by)


def _best(candidates: str, by: By) -> str:
    return BEST_FACES.format(
        candidates=candidates,
        best_of="faces.person_pk" if by == "person" else "faces.face_pk",
        person_columns=PERSON_COLUMNS,
    )
