"""A stand-in for the service: it tells persons by the colour of their pictures, and can be told to answer badly."""

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from PIL import Image

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}  # by the channel that is strongest
LEAST_SHARE = 0.15  # of a picture, to be seen in it
TOKEN = "token-of-the-stand-in"
ENROLLED_ID = re.compile(rb'name="id"\r\n\r\n([^\r]+)\r\n')


@dataclass
class Behaviour:
    """How the stand-in answers."""

    lies: bool = False
    delay_s: float = 0.0
    refuses_searches: int = 0  # the first ones, with 429 and Retry-After: 1
    enrolls: bool = True


@dataclass
class StandIn:
    """What the stand-in was asked. `strays` are requests to collections that do not exist, not yet or no more."""

    url: str
    behaviour: Behaviour
    collections: set[str] = field(default_factory=set)
    created: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    strays: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    searched_at: list[float] = field(default_factory=list)
    bodies: set[bytes] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return the status and JSON of an answer."""
        if token != f"Bearer {TOKEN}":
            return 401, error("unauthorized")
        path, _, query = path.partition("?")
        parts = path.strip("/").split("/")[2:]  # after /v1/collections
        if not parts:
            name = json.loads(body)["id"]
            self.created.append(name)
            self.collections.add(name)
            return 201, {}
        if parts[0] not in self.collections:
            self.strays.append(path)
            return 404, error("collection_not_found")
        if method == "DELETE":
            if query != "force=true":
                return 409, error("collection_not_empty")
            self.collections.remove(parts[0])
            self.deleted.append(parts[0])
            return 204, {}
        return self._recognise(parts[0], parts[1:], body)

    def _recognise(self, collection: str, operation: list[str], body: bytes) -> tuple[int, dict[str, Any]]:
        lies = self.behaviour.lies
        match operation:
            case ["persons"]:
                found = ENROLLED_ID.search(body)
                if found is None or not self.behaviour.enrolls:
                    return 422, error("registration_failed")
                self.answered["enroll" if collection.endswith("-in") else "set up"] += 1
                faces = [] if lies and collection.endswith("-in") else [{}]
                return 201, {"person": {"id": found[1].decode()}, "faces": faces}
            case ["search"]:
                self.searched_at.append(time.monotonic())
                self.bodies.add(body)
                if len(self.searched_at) <= self.behaviour.refuses_searches:
                    return 429, error("overloaded")
                (person,) = persons_in(body)
                self.answered["search"] += 1
                return 200, {"matches": [{"person": {"id": another(person) if lies else person}}]}
            case ["identify"]:
                persons = persons_in(body)
                shown = {next(iter(persons))} if lies else persons
                self.answered["identify"] += 1
                return 200, {"faces": [{"decision": "match", "person": {"id": person}} for person in shown]}
            case ["persons", claimed, "verify"]:
                (person,) = persons_in(body)
                self.answered["verify" if person == claimed else "verify another"] += 1
                return 200, {"verified": (person == claimed) != lies}
        return 404, error("route_not_found")


def picture(person: str) -> Image.Image:
    """Return a picture of `person`."""
    return Image.new("RGB", (48, 64), COLOURS[person])


def persons_in(jpeg: bytes) -> set[str]:
    """Return whose colours are in a picture."""
    image = Image.open(io.BytesIO(jpeg)).convert("RGB").resize((24, 2), Image.Resampling.NEAREST)
    pixels = [image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)]
    shares = Counter(list(COLOURS)[max(range(3), key=lambda channel: pixel[channel])] for pixel in pixels)
    return {person for person, count in shares.items() if count / len(pixels) > LEAST_SHARE}


def another(person: str) -> str:
    """Return somebody else."""
    return next(name for name in COLOURS if name != person)


def error(code: str) -> dict[str, Any]:
    """Return the service's error envelope."""
    return {"error": {"code": code, "message": code, "details": {}}, "request_id": "none"}


@contextmanager
def stand_in(behaviour: Behaviour) -> Iterator[StandIn]:
    """Give a stand-in that listens while the context is open."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            time.sleep(behaviour.delay_s)
            with service.lock:
                status, answer = service.answer(self.command, self.path, self.headers.get("Authorization", ""), body)
            content = json.dumps(answer).encode() if status != 204 else b""
            self.send_response(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_DELETE = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            pass  # locust ends with requests under way

    server = Server(("127.0.0.1", 0), Handler)
    service = StandIn(f"http://127.0.0.1:{server.server_port}", behaviour)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
