"""Faces of several images, embedded together."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from deployments.inference.batching import Crops, Embeddings, FaceBatcher

BAD = 13


class Recogniser:
    """Embeds a crop as its first value, notes the size of each batch, and waits until it may begin."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.may_begin = threading.Event()

    def embed(self, crops: Crops) -> Embeddings:
        self.may_begin.wait(10)
        self.batches.append(len(crops))
        values = [int(crop[0]) for crop in crops]
        if BAD in values:
            raise ValueError(BAD)
        return [np.array([value], np.float32) for value in values]


def faces(*values: int) -> list[np.ndarray]:
    return [np.array([value], np.uint8) for value in values]


@pytest.fixture
def recogniser() -> Recogniser:
    return Recogniser()


@pytest.fixture
async def batcher(recogniser: Recogniser) -> AsyncIterator[FaceBatcher]:
    with ThreadPoolExecutor(1) as thread:
        yield FaceBatcher(recogniser.embed, thread, largest=4)
        recogniser.may_begin.set()


async def answers_of(batcher: FaceBatcher, *images: list[np.ndarray]) -> list[list[float] | BaseException]:
    answers = await asyncio.gather(*(batcher.embed(image) for image in images), return_exceptions=True)
    return [
        answer if isinstance(answer, BaseException) else [float(row[0]) for row in answer.embeddings]
        for answer in answers
    ]


async def behind_a_first_image(
    batcher: FaceBatcher, recogniser: Recogniser, *images: list[np.ndarray]
) -> list[list[float] | BaseException]:
    """Return the answers of images that came while another one was embedded."""
    first = asyncio.create_task(batcher.embed(faces(0)))
    await asyncio.sleep(0.05)
    others = asyncio.create_task(answers_of(batcher, *images))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    recogniser.may_begin.set()
    await first
    return await others


async def test_an_image_that_comes_alone_waits_for_no_other(batcher: FaceBatcher, recogniser: Recogniser) -> None:
    recogniser.may_begin.set()

    assert await answers_of(batcher, faces(1, 2)) == [[1, 2]]
    assert recogniser.batches == [2]


async def test_images_that_came_meanwhile_are_embedded_together(batcher: FaceBatcher, recogniser: Recogniser) -> None:
    answers = await behind_a_first_image(batcher, recogniser, faces(1), faces(2, 3), faces(4))

    assert answers == [[1], [2, 3], [4]]
    assert recogniser.batches == [1, 4]


async def test_a_batch_is_no_larger_than_it_may_be(batcher: FaceBatcher, recogniser: Recogniser) -> None:
    answers = await behind_a_first_image(batcher, recogniser, faces(1, 2, 3), faces(4, 5), faces(6))

    assert answers == [[1, 2, 3], [4, 5], [6]]
    assert recogniser.batches == [1, 3, 3]


async def test_an_image_with_more_faces_than_a_batch_has_one_to_itself(
    batcher: FaceBatcher, recogniser: Recogniser
) -> None:
    answers = await behind_a_first_image(batcher, recogniser, faces(1), faces(2, 3, 4, 5, 6), faces(7))

    assert answers == [[1], [2, 3, 4, 5, 6], [7]]
    assert recogniser.batches == [1, 1, 5, 1]


async def test_an_image_that_fails_takes_none_of_the_others_with_it(
    batcher: FaceBatcher, recogniser: Recogniser
) -> None:
    good, bad, other = await behind_a_first_image(batcher, recogniser, faces(1), faces(BAD), faces(2))

    assert (good, other) == ([1], [2])
    assert isinstance(bad, ValueError)


async def test_an_image_that_nobody_waits_for_is_not_embedded(batcher: FaceBatcher, recogniser: Recogniser) -> None:
    first = asyncio.create_task(batcher.embed(faces(0)))
    await asyncio.sleep(0.05)
    left = asyncio.create_task(batcher.embed(faces(1, 2)))
    await asyncio.sleep(0)
    left.cancel()
    stays = asyncio.create_task(batcher.embed(faces(3)))
    await asyncio.sleep(0)
    recogniser.may_begin.set()
    await asyncio.gather(first, stays)

    assert recogniser.batches == [1, 1]


async def test_an_image_without_faces_asks_for_nothing(batcher: FaceBatcher, recogniser: Recogniser) -> None:
    assert await answers_of(batcher, []) == [[]]
    assert recogniser.batches == []


async def test_the_size_of_every_batch_is_told(recogniser: Recogniser) -> None:
    told: list[int] = []
    count: Callable[[int], None] = told.append
    recogniser.may_begin.set()
    with ThreadPoolExecutor(1) as thread:
        await FaceBatcher(recogniser.embed, thread, 4, count).embed(faces(1, 2, 3))
        await asyncio.sleep(0)

    assert told == [3]


async def test_a_meter_that_fails_keeps_no_image_waiting(recogniser: Recogniser) -> None:
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))

    def fail(faces: int) -> None:
        raise RuntimeError("no meter")

    with ThreadPoolExecutor(1) as thread:
        batcher = FaceBatcher(recogniser.embed, thread, 4, fail)
        answers = await behind_a_first_image(batcher, recogniser, faces(1), faces(2))
    asyncio.get_running_loop().set_exception_handler(None)

    assert answers == [[1], [2]]
    assert len(failures) == 2  # told to the log, once a batch


class Ending(Recogniser):
    """Its batches end by what is no ordinary error, as where a library calls exit."""

    def embed(self, crops: Crops) -> Embeddings:
        self.may_begin.wait(10)
        raise SystemExit(3)


async def test_a_batch_that_ends_oddly_keeps_no_image_waiting() -> None:
    recogniser = Ending()
    with ThreadPoolExecutor(1) as thread:
        batcher = FaceBatcher(recogniser.embed, thread, 4)
        images = [asyncio.create_task(batcher.embed(faces(number))) for number in range(3)]
        await asyncio.sleep(0)
        recogniser.may_begin.set()
        done, waiting = await asyncio.wait(images, timeout=30)

    assert not waiting
    assert all(isinstance(task.exception(), RuntimeError) for task in done)
