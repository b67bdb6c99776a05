"""Picture files that attack the decoder: bombs, polyglots, and mutated files by the hundred."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.attack.pictures import BOMBS, NO_PICTURES, PICTURES_AND_MORE, mutations
from tests.attack.target import Target
from tests.cluster.node import Cluster

pytestmark = pytest.mark.cluster

MUTATIONS = int(os.environ.get("FACESERVE_ATTACK_IMAGES", "300"))
SEED = int(os.environ.get("FACESERVE_ATTACK_SEED", "11"))
GROWTH_MB = 200.0  # a decoded picture at the pixel limit takes 150 MB, which the allocator may keep
PEAK_MB = 800.0  # while the largest picture is decoded that is taken, a PNG with transparency
CLIENTS = 4


@pytest.fixture
def anybody(target: Target) -> Iterator[httpx.Client]:
    with target.client(scope="faces:read") as client:
        yield client


def embedders(service: Cluster | None) -> list[psutil.Process]:
    """Return the processes that decode pictures, none where the service is not ours to look into."""
    if service is None:
        return []
    family = service.node.children(recursive=True)
    return [process for process in family if "Embedder" in " ".join(process.cmdline())]


def resident_mb(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 2**20


def forget_peaks(processes: list[psutil.Process]) -> None:
    """Have the kernel count the most memory from now on, proc(5)."""
    for process in processes:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak_mb(processes: list[psutil.Process]) -> float:
    """Return the most memory that the processes have held, each at its time."""
    statuses = [Path(f"/proc/{process.pid}/status").read_text() for process in processes]
    return sum(int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) for status in statuses) / 1024


def detect(client: httpx.Client, image: bytes) -> httpx.Response:
    return client.post("/v1/detect", content=image, headers={"Content-Type": "image/jpeg"})


@pytest.mark.parametrize("make", BOMBS.values(), ids=BOMBS.keys())
def test_a_bomb_is_refused_or_small(
    target: Target, service: Cluster | None, anybody: httpx.Client, make: Callable[[], bytes]
) -> None:
    decoders = embedders(service)
    before = resident_mb(decoders)
    forget_peaks(decoders)

    answer = detect(anybody, make())

    assert answer.status_code in (200, 413, 422), answer.text
    assert resident_mb(decoders) - before < GROWTH_MB
    assert peak_mb(decoders) - before < PEAK_MB


@pytest.mark.parametrize("make", [make for name, make in BOMBS.items() if " of 16000 " in name])
def test_a_header_that_claims_too_many_pixels_is_believed_and_refused(
    anybody: httpx.Client, make: Callable[[], bytes]
) -> None:
    answer = detect(anybody, make())

    assert answer.status_code in (413, 422), answer.text
    assert answer.json()["error"]["code"] in ("image_too_large", "invalid_image")


@pytest.mark.parametrize("make", PICTURES_AND_MORE.values(), ids=PICTURES_AND_MORE.keys())
def test_a_picture_that_is_something_else_too_is_a_picture(anybody: httpx.Client, make: Callable[[], bytes]) -> None:
    answer = detect(anybody, make())

    assert answer.status_code == 200, answer.text
    assert len(answer.json()["faces"]) == 1
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("make", NO_PICTURES.values(), ids=NO_PICTURES.keys())
def test_something_else_that_is_a_picture_too_is_refused(anybody: httpx.Client, make: Callable[[], bytes]) -> None:
    answer = detect(anybody, make())

    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["code"] in ("unsupported_image_format", "invalid_image")


def test_mutated_pictures_break_nothing_and_leave_nothing(
    target: Target, service: Cluster | None, anybody: httpx.Client, record_property: Callable[[str, object], None]
) -> None:
    decoders = embedders(service)
    for _, image in mutations(SEED + 1, 60):  # caches and pools fill once
        detect(anybody, image)
    before = resident_mb(decoders)
    started = time.monotonic()

    def send(mutation: tuple[str, bytes]) -> tuple[str, int, str]:
        answer = detect(anybody, mutation[1])
        code = answer.json()["error"]["code"] if answer.status_code != 200 else "looked at"
        return mutation[0], answer.status_code, code

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(send, mutations(SEED, MUTATIONS)))

    told = Counter(f"{status} {code}" for _, status, code in answers)
    record_property("mutated files", MUTATIONS)
    record_property("answers", dict(told))
    record_property("RSS of the embedders before and after, MB", (round(before), round(resident_mb(decoders))))
    record_property("seconds", round(time.monotonic() - started, 1))
    assert {status for _, status, _ in answers} <= {200, 413, 422}, [each for each in answers if each[1] > 422]
    assert told["200 looked at"] > 0
    assert told["422 invalid_image"] > 0
    assert [process.pid for process in embedders(service)] == [process.pid for process in decoders]  # none died
    assert resident_mb(decoders) - before < GROWTH_MB
