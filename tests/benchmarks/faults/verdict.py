"""Whether a service still holds what it acknowledged: asked over HTTP, and of the tables where they can be reached."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx

from tests.benchmarks.faults.ledger import Answer, Enrolment, Ledger
from tests.benchmarks.faults.load import Target, attempted, finds, search_request

SEARCHES_AT_ONCE = 4
TRIES = 20

HALVES = """
    select
        (select count(*) from persons p where not exists (select from faces f where f.person_pk = p.person_pk))
      + (select count(*) from faces f where not exists (select from embeddings e where e.face_pk = f.face_pk))
      + (select count(*) from persons p
         where p.face_count <> (select count(*) from faces f where f.person_pk = p.person_pk))
      + (select count(*) from collections c
         where c.deleted_at is null
           and (c.person_count <> (select count(*) from persons p where p.collection_pk = c.collection_pk)
                or c.face_count <> (select count(*) from embeddings e where e.collection_pk = c.collection_pk)))
      + (select count(*) from idempotency_keys where outcome is null)
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What does not agree with the ledger, in persons; all zero where nothing was lost.

    `lost`: acknowledged, and not there or not found by a search. `half`: without its face, embedding or right counts.
    `doubled`: enrolled twice under one key. `returned`: there after their deletion was acknowledged.
    """

    lost: tuple[str, ...] = ()
    half: int = 0
    doubled: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return self == Verdict()


async def verdict(target: Target, ledger: Ledger, database_url: str | None = None) -> Verdict:
    """Return what the service holds beside what the ledger says. It must be whole again: refusals are waited out."""
    async with target.client() as http:
        persons = await listed(http)
        once = asyncio.Semaphore(SEARCHES_AT_ONCE)
        found = await asyncio.gather(*(is_found(http, once, target, enrolment) for enrolment in ledger.due))
    missing = [
        enrolment.name
        for enrolment, was_found in zip(ledger.due, found, strict=True)
        if not was_found or enrolment.person_id not in {person["id"] for person in persons.get(enrolment.name, ())}
    ]
    deleted = {enrolment.person_id for enrolment in ledger.enrolments if enrolment.is_deleted}
    everyone = [person for same in persons.values() for person in same]
    return Verdict(
        lost=tuple(missing),
        half=sum(person["face_count"] != 1 for person in everyone)
        + (0 if database_url is None else await halves(database_url)),
        doubled=tuple(name for name, same in persons.items() if len(same) > 1),
        returned=tuple(person["name"] for person in everyone if person["id"] in deleted),
    )


async def listed(http: httpx.AsyncClient) -> Mapping[str, list[dict[str, Any]]]:
    """Return every person of the collection, by name."""
    persons: dict[str, list[dict[str, Any]]] = defaultdict(list)
    cursor: dict[str, str] = {}
    while True:
        page = await asked(http, {"method": "GET", "url": "/persons", "params": {"limit": 100, **cursor}})
        for person in page["persons"]:
            persons[person["name"]].append(person)
        if not page.get("next_cursor"):
            return persons
        cursor = {"cursor": page["next_cursor"]}


async def is_found(http: httpx.AsyncClient, once: asyncio.Semaphore, target: Target, enrolment: Enrolment) -> bool:
    """Tell whether a search with a person's picture finds the person."""
    async with once:
        return finds(await asked(http, search_request(target.pictures(enrolment.number))), enrolment)


async def asked(http: httpx.AsyncClient, request: dict[str, Any]) -> Any:
    """Return the body of a 200; tries again after refusals."""
    for _ in range(TRIES):
        body, attempt = await attempted(http, "verify", request, lambda status, body: status == 200)
        if attempt.answer is Answer.DONE:
            return body
        await asyncio.sleep(0.5)
    raise AssertionError(f"the service is not whole again: {attempt.told}")


async def halves(database_url: str) -> int:
    """Return how many rows of the tables stand without what belongs to them."""
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval(HALVES))
    finally:
        await connection.close()
