"""Clients that go on asking while a node dies, and remember every answer."""

import contextlib
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx

COLLECTION = "crew"
PATIENCE_S = 20.0
PAUSE_S = 0.2  # between two requests of a client: without it the clients take what a joining node needs to start


@dataclass(frozen=True, slots=True)
class Answer:
    """What one request got. `code`: `ok`, the code of an error in our envelope, or what came in place of an answer."""

    operation: str
    at: float  # time.monotonic(), when it was over
    seconds: float
    code: str
    is_ours: bool  # an answer of the service; otherwise of a proxy, or none at all

    @property
    def is_ok(self) -> bool:
        return self.code == "ok"


@dataclass
class Record:
    """Everything that was asked and answered."""

    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)  # ids of persons
    unacknowledged: list[str] = field(default_factory=list)

    def failures(self, after: float = 0.0) -> Counter[str]:
        """Count the failed requests by what they got."""
        return Counter(answer.code for answer in self.answers if not answer.is_ok and answer.at >= after)


class Client:
    """One caller in a thread: a request after the other, a new connection after each failure."""

    def __init__(self, http: httpx.Client, photo: bytes, record: Record) -> None:
        self._http, self._photo, self._record = http, photo, record

    def search(self) -> None:
        """Ask who is in the photo."""
        path = f"/v1/collections/{COLLECTION}/search"
        self._ask("search", path, {}, content=self._photo, headers={"Content-Type": "image/png"})

    def enroll(self, patience_s: float) -> None:
        """Enrol a new person, and ask again with the same key until that is acknowledged, or patience ends."""
        person, key = f"p-{uuid.uuid4().hex}", uuid.uuid4().hex
        deadline = time.monotonic() + patience_s
        path = f"/v1/collections/{COLLECTION}/persons"
        while True:
            headers = {"Idempotency-Key": key}
            if self._ask("enroll", path, {"id": person}, files={"images": ("a.png", self._photo)}, headers=headers):
                self._record.acknowledged.append(person)
                return
            if time.monotonic() >= deadline:
                self._record.unacknowledged.append(person)
                return
            time.sleep(0.1)

    def _ask(self, operation: str, path: str, data: dict[str, str], **body: object) -> bool:
        started = time.monotonic()
        try:
            response = self._http.post(path, data=data or None, **body)  # type: ignore[arg-type]
            code, is_ours = code_of(response)
        except httpx.HTTPError as error:
            code, is_ours = type(error).__name__, False
        now = time.monotonic()
        self._record.answers.append(Answer(operation, now, now - started, code, is_ours))
        return code == "ok"


def code_of(response: httpx.Response) -> tuple[str, bool]:
    """Return `ok` or the code of the error, and whether the service itself answered."""
    if response.is_success:
        return "ok", True
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(response.json()["error"]["code"]), True
    return f"{response.status_code} without envelope", False


@contextlib.contextmanager
def load(clients: list[httpx.Client], photo: bytes, record: Record) -> Iterator[None]:
    """Keep the clients busy: every third one enrols, the others search. The first gives an enrolment up that fails."""
    is_over = threading.Event()

    def keep_asking(number: int, http: httpx.Client) -> None:
        client = Client(http, photo, record)
        while not is_over.is_set():
            client.enroll(PATIENCE_S if number else 0.0) if number % 3 == 0 else client.search()
            is_over.wait(PAUSE_S)

    threads = [threading.Thread(target=keep_asking, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()
