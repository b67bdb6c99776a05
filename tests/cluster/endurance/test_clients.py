"""Clients that are slow, stop in the middle or leave, over real sockets."""

import contextlib
import http.client
import json
import select
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import psutil
import pytest
from PIL import Image

from deployments.http.admission import BODIES_PER_PLACE
from tests.benchmarks.endurance.processes import name_of
from tests.cluster.endurance.conftest import MAX_IN_FLIGHT
from tests.cluster.node import Cluster, wait_for
from tests.deployments.pictures import encoded

pytestmark = pytest.mark.cluster

PATIENCE_S = 30.0
IDLE_CONNECTIONS = 300
ABANDONED = 6


@pytest.fixture(scope="module")
def client(service: Cluster) -> Iterator[httpx.Client]:
    with service.client() as opened:
        yield opened


def connect(service: Cluster) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.http_port), timeout=PATIENCE_S)


def head(client: httpx.Client, length: int, path: str = "/v1/detect") -> bytes:
    """Return the head of a request with the client's token and a body of `length` bytes."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: faceserve.test",
        f"Authorization: {client.headers['authorization']}",
        "Content-Type: image/png",
        f"Content-Length: {length}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def detect(client: httpx.Client, image: bytes, **headers: str) -> httpx.Response:
    return client.post("/v1/detect", content=image, headers={"Content-Type": "image/png", **headers})


def process_of(service: Cluster, deployment: str) -> psutil.Process:
    """Return the process of the only replica of `deployment`."""
    found = [child for child in service.node.children(recursive=True) if f"faceserve:{deployment}" in name_of(child)]
    assert len(found) == 1, found
    return found[0]


@contextlib.contextmanager
def frozen(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def read_until_closed(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def test_a_body_that_trickles_in_is_given_up(service: Cluster, client: httpx.Client) -> None:
    with connect(service) as connection:
        connection.sendall(head(client, 10_000))
        deadline = time.monotonic() + PATIENCE_S
        while not select.select([connection], [], [], 0.2)[0]:
            assert time.monotonic() < deadline, "still waiting for the body"
            connection.sendall(b"x")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        body = json.loads(answer.read())

    assert answer.status == 408
    assert body["error"]["code"] == "body_timeout"


def test_bodies_that_stop_half_way_give_their_places_back(service: Cluster, client: httpx.Client, photo: bytes) -> None:
    for _ in range(2 * MAX_IN_FLIGHT):
        with connect(service) as connection:
            connection.sendall(head(client, len(photo)) + photo[: len(photo) // 2])

    wait_for(lambda: detect(client, photo).status_code == 200, PATIENCE_S)


def test_half_bodies_that_are_held_leave_a_normal_client_alone(
    service: Cluster, client: httpx.Client, photo: bytes
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(2 * MAX_IN_FLIGHT):
            connection = stack.enter_context(connect(service))
            connection.sendall(head(client, len(photo)) + photo[: len(photo) // 2])

        statuses = {detect(client, photo).status_code for _ in range(5)}

    assert statuses == {200}


def test_more_half_bodies_than_there_is_room_for_are_refused(
    service: Cluster, client: httpx.Client, photo: bytes
) -> None:
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(connect(service)) for _ in range((BODIES_PER_PLACE + 1) * MAX_IN_FLIGHT)]
        for connection in connections:
            connection.sendall(head(client, len(photo)) + photo[: len(photo) // 2])

        wait_for(lambda: detect(client, photo).status_code == 429, PATIENCE_S / 6)  # before the first is given up
        assert client.get("/v1/collections").status_code == 200

    wait_for(lambda: detect(client, photo).status_code == 200, PATIENCE_S)


def test_headers_that_never_end_are_cut_off(service: Cluster) -> None:
    with connect(service) as connection:
        connection.sendall(b"GET /v1/health HTTP/1.1\r\nHost: faceserve.test\r\nX-Slow: ")

        answer = read_until_closed(connection)

    assert answer == b"" or answer.startswith(b"HTTP/1.1 408")


def test_hundreds_of_idle_connections_leave_a_normal_client_alone(
    service: Cluster, client: httpx.Client, photo: bytes
) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(IDLE_CONNECTIONS):
            connection = stack.enter_context(connect(service))
            connection.sendall(b"POST /v1/detect HTTP/1.1\r\nHost: faceserve.test\r\n")

        statuses = {detect(client, photo).status_code for _ in range(5)}

    assert statuses == {200}


def test_the_work_of_clients_that_left_is_dropped(service: Cluster, client: httpx.Client, photo: bytes) -> None:
    heavy = encoded(Image.new("RGB", (6000, 6000)), "PNG", compress_level=1)
    embedder = process_of(service, "Embedder")
    assert detect(client, heavy).status_code == 200  # the allocator's and the page cache's first time
    one_s = cpu_s_of(embedder)
    assert detect(client, heavy).status_code == 200
    one_s = cpu_s_of(embedder) - one_s

    before_s = cpu_s_of(embedder)
    for _ in range(ABANDONED):
        with connect(service) as connection:
            connection.sendall(head(client, len(heavy)) + heavy)
    wait_for(lambda: detect(client, photo).status_code == 200, PATIENCE_S)

    assert cpu_s_of(embedder) - before_s < one_s * ABANDONED / 2


def cpu_s_of(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def test_no_header_of_a_client_changes_the_time_limit(service: Cluster, client: httpx.Client, photo: bytes) -> None:
    headers: list[dict[str, str]] = [
        {"x-request-timeout-seconds": "0"},
        {"x-request-timeout-seconds": "0.01"},
        {"x-request-timeout-seconds": "600", "x-request-disconnect-disabled": "?1"},
    ]

    with frozen(process_of(service, "Embedder")), ThreadPoolExecutor(len(headers)) as threads:
        answers = list(threads.map(lambda told: detect(client, photo, **told), headers))

    assert [answer.status_code for answer in answers] == [503, 503, 503]
    assert {answer.json()["error"]["code"] for answer in answers} == {"request_timeout"}
    wait_for(lambda: detect(client, photo).status_code == 200, PATIENCE_S)
