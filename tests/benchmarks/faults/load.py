"""Clients that enrol, search and delete as a good client does: one key for all attempts, a pause after a refusal."""

import asyncio
import contextlib
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.benchmarks.faults.ledger import Answer, Attempt, Enrolment, Ledger, judge

PATIENCE_S = 35.0  # the service's own `request_timeout_s` is 30: whoever waits longer was left hanging
PAUSES_S = (0.1, 0.2, 0.5, 1.0)  # before the next attempt; the last one from then on
SHARE_OF_ENROLMENTS = 0.45
SHARE_OF_DELETIONS = 0.05  # the rest are searches
REPEATED = 0.2  # of the acknowledged enrolments, sent once more under their key
LIMIT = 10


@dataclass(frozen=True, slots=True)
class Target:
    """A service, a collection of its for this load, and the pictures to send."""

    url: str
    authorization: str
    collection: str
    pictures: Callable[[int], bytes]

    def client(self) -> httpx.AsyncClient:
        """Return a client with connections of its own."""
        headers = {"Authorization": self.authorization}
        base = f"{self.url}/v1/collections/{self.collection}"
        return httpx.AsyncClient(base_url=base, headers=headers, timeout=PATIENCE_S)

    async def create(self) -> None:
        """Create the collection."""
        async with httpx.AsyncClient(headers={"Authorization": self.authorization}, timeout=PATIENCE_S) as client:
            body = {"id": self.collection, "name": self.collection}
            (await client.post(f"{self.url}/v1/collections", json=body)).raise_for_status()


@contextlib.asynccontextmanager
async def load(target: Target, ledger: Ledger, clients: int) -> Any:
    """Run `clients` clients while the block runs; on leaving each ends the attempt it is in."""
    stopping = asyncio.Event()
    running = [asyncio.create_task(LoadClient(target, ledger, stopping, number).run()) for number in range(clients)]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.gather(*running)


class LoadClient:
    """One client: one operation at a time, each repeated until it is done or the load stops."""

    def __init__(self, target: Target, ledger: Ledger, stopping: asyncio.Event, seed: int) -> None:
        self._target = target
        self._ledger = ledger
        self._stopping = stopping
        self._random = random.Random(seed)
        self._own: list[Enrolment] = []  # acknowledged, and not asked to be deleted

    async def run(self) -> None:
        """Work until the load stops."""
        async with self._target.client() as http:
            while not self._stopping.is_set():
                dice = self._random.random()
                if not self._own or dice < SHARE_OF_ENROLMENTS:
                    await self._enroll(http)
                elif dice < SHARE_OF_ENROLMENTS + SHARE_OF_DELETIONS:
                    await self._delete(http)
                else:
                    await self._search(http)

    async def _enroll(self, http: httpx.AsyncClient) -> None:
        number = len(self._ledger.enrolments)
        enrolment = Enrolment(number, f"person-{number}")
        self._ledger.enrolments.append(enrolment)
        request = {
            "method": "POST",
            "url": "/persons",
            "headers": {"Idempotency-Key": str(uuid.uuid4())},
            "files": {"images": ("a.jpg", self._target.pictures(number))},
            "data": {"name": enrolment.name},
        }
        body = await self._until_done(http, "enroll", request, lambda status, body: status == 201)
        if body is None:
            return
        enrolment.person_id = body["person"]["id"]
        self._own.append(enrolment)
        if self._random.random() < REPEATED:
            again = await self._until_done(http, "repeat", request, lambda status, body: status == 201)
            self._ledger.changed += again is not None and again["person"]["id"] != enrolment.person_id

    async def _delete(self, http: httpx.AsyncClient) -> None:
        enrolment = self._own.pop(self._random.randrange(len(self._own)))
        enrolment.is_to_be_deleted = True
        request = {
            "method": "DELETE",
            "url": f"/persons/{enrolment.person_id}",
            "headers": {"Idempotency-Key": str(uuid.uuid4())},
        }
        enrolment.is_deleted = (
            await self._until_done(http, "delete", request, lambda status, body: status == 204) is not None
        )

    async def _search(self, http: httpx.AsyncClient) -> None:
        enrolment = self._random.choice(self._own)
        picture = self._target.pictures(enrolment.number)
        await self._until_done(
            http, "search", search_request(picture), lambda status, body: status == 200 and finds(body, enrolment)
        )

    async def _until_done(
        self, http: httpx.AsyncClient, kind: str, request: dict[str, Any], is_expected: Callable[[int, Any], bool]
    ) -> Any:
        """Return the body of the expected answer, {} for an empty one; None if the load stops before it comes."""
        for tries in range(10**9):
            body, attempt = await attempted(http, kind, request, is_expected)
            self._ledger.attempts.append(attempt)
            if attempt.answer is Answer.DONE:
                return body
            if self._stopping.is_set():
                break
            await asyncio.sleep(PAUSES_S[min(tries, len(PAUSES_S) - 1)])
        return None


async def attempted(
    http: httpx.AsyncClient, kind: str, request: dict[str, Any], is_expected: Callable[[int, Any], bool]
) -> tuple[Any, Attempt]:
    """Send one request; return the body of its answer, None without one, and what came of it."""
    began = time.monotonic()
    body = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            response = await http.request(**request)
    except (TimeoutError, httpx.TimeoutException):
        answer, told = Answer.HUNG, f"no answer in {PATIENCE_S:g} s"
    except httpx.TransportError as error:
        answer, told = Answer.CONNECTION, type(error).__name__
    else:
        body = body_of(response)
        answer, told = judge(response.status_code, body, response.text, is_expected(response.status_code, body))
    return body, Attempt(kind, began, time.monotonic(), answer, told)


def search_request(picture: bytes) -> dict[str, Any]:
    """Return the search for the face of a picture."""
    headers = {"Content-Type": "image/jpeg"}
    return {
        "method": "POST",
        "url": "/search",
        "params": {"limit": LIMIT},
        "content": picture,
        "headers": headers,
    }


def finds(body: Any, enrolment: Enrolment) -> bool:
    """Tell whether the enrolled person is among the matches of a search."""
    return any(match["person"]["id"] == enrolment.person_id for match in body["matches"])


def body_of(response: httpx.Response) -> Any:
    """Return the JSON of a response, {} for an empty body, None for any other."""
    if not response.content:
        return {}
    try:
        return response.json()
    except ValueError:
        return None
