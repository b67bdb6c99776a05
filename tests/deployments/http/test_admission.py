"""Who may enter under overload, and how long a body may take."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from configs.settings import ApiSettings
from configs.tuning import EmbedderTuning
from deployments.http.admission import BODIES_PER_PLACE, LONGEST_S, QUIET_S, Admission, AdmissionTicket
from deployments.inference.worker import InferenceWorker
from deployments.ports import EmbedderResult, Overloaded
from encoders.types import Analysis, AnalyzeOptions, ModelDescription
from tests.deployments.colours import ColourEncoder, drawing
from tests.deployments.service import Clients, code_of, message_of, raw


class Full:
    """An embedder whose queue takes `places` images; those that wait are looked at once they are let go."""

    def __init__(self, worker: InferenceWorker, places: int) -> None:
        self._worker = worker
        self._places = places
        self.let_go = asyncio.Event()
        self.is_full = asyncio.Event()
        self.asked = 0
        self.waiting = 0

    async def analyze(self, image: bytes, options: AnalyzeOptions) -> EmbedderResult:
        self.asked += 1
        if self.waiting == self._places:
            raise Overloaded()
        self.waiting += 1
        if self.waiting == self._places:
            self.is_full.set()
        await self.let_go.wait()
        self.waiting -= 1
        return await self._worker.analyze(image, options)

    async def describe(self) -> ModelDescription:
        return await self._worker.describe()


class Gated(ColourEncoder):
    """Looks at images when it is let go, and counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.let_go = threading.Event()
        self.seen = 0

    def analyze(self, image: bytes, options: AnalyzeOptions | None = None) -> Analysis:
        self.begun.set()
        assert self.let_go.wait(30)
        self.seen += 1
        return super().analyze(image, options or AnalyzeOptions())


async def test_a_full_embedder_is_not_asked_again_until_it_has_answered(
    clients: Clients, colours: InferenceWorker
) -> None:
    full = Full(colours, places=2)
    api = clients(embedder=full, settings=ApiSettings(max_in_flight=64))
    image = raw(drawing(0))
    waiting = [asyncio.create_task(api.post("/v1/detect", **image)) for _ in range(2)]
    await full.is_full.wait()

    refused = [await api.post("/v1/detect", **image) for _ in range(5)]
    others = [await api.get("/v1/health"), await api.get("/v1/collections")]
    asked = full.asked
    full.let_go.set()
    answered = await asyncio.gather(*waiting)
    later = await api.post("/v1/detect", **image)

    assert [code_of(response) for response in refused] == [(429, "overloaded")] * 5
    assert asked == 3, "the first refusal is the embedder's, the others are those of the door"
    assert [response.status_code for response in others] == [200, 200]
    assert [response.status_code for response in (*answered, later)] == [200] * 3


class Clock:
    """A clock that a test puts forward."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def ticket(admission: Admission) -> AdmissionTicket:
    return AdmissionTicket(admission, may_need_embedder=True, is_always_admitted=False)


def test_bodies_on_their_way_hold_no_places_and_have_a_bound_of_their_own() -> None:
    admission = Admission(most=2)
    arriving = [ticket(admission) for _ in range(2 * BODIES_PER_PLACE)]
    for each in arriving:
        each.expect_body()

    with pytest.raises(Overloaded):
        ticket(admission).expect_body()
    without_body = ticket(admission)
    without_body.enter()
    arriving[0].enter()
    with pytest.raises(Overloaded):
        arriving[1].enter()
    without_body.leave()
    arriving[0].leave()
    arriving[1].enter()


def test_a_ticket_is_given_back_once_however_far_its_request_came() -> None:
    admission = Admission(most=1)
    for steps in (
        [AdmissionTicket.expect_body],
        [AdmissionTicket.enter],
        [AdmissionTicket.expect_body, AdmissionTicket.enter, AdmissionTicket.enter],
    ):
        for _ in range(2 * BODIES_PER_PLACE):
            one = ticket(admission)
            for step in steps:
                step(one)
            one.leave()
            one.leave()

    assert admits(admission)


def entered(requests: int, clock: Clock) -> Admission:
    admission = Admission(most=64, clock=clock)
    for _ in range(requests):
        admission.enter()
    return admission


def admits(admission: Admission) -> bool:
    return admission.admits(may_need_embedder=True)


def test_long_waits_without_a_refusal_keep_nobody_out() -> None:
    admission = entered(40, Clock())

    for _ in range(1000):
        admission.learn_waits(20.0)

    assert admits(admission)


def test_a_refusal_keeps_requests_out_until_those_under_way_are_few() -> None:
    admission = entered(40, Clock())
    admission.learn_refusal()

    for _ in range(30):
        assert not admits(admission)
        admission.leave()

    admission.leave()
    assert admits(admission)


def test_requests_that_need_no_embedder_enter_until_all_places_are_taken() -> None:
    admission = entered(40, Clock())
    admission.learn_refusal()

    for _ in range(24):
        assert admission.admits(may_need_embedder=False)
        admission.enter()

    assert not admission.admits(may_need_embedder=False)


@pytest.mark.parametrize(("waits", "enters"), [(20.0, False), (0.5, True)])
def test_the_room_after_a_refusal_follows_how_long_images_wait(waits: float, enters: bool) -> None:
    admission = entered(40, Clock())
    admission.learn_refusal()
    for _ in range(31):
        admission.leave()

    for _ in range(50):
        admission.learn_waits(waits)
    admission.leave()

    assert admits(admission) == enters


def test_the_room_is_whole_again_when_nobody_was_refused_for_a_while() -> None:
    clock = Clock()
    admission = entered(40, clock)
    admission.learn_refusal()
    assert not admits(admission)

    clock.now_s = QUIET_S

    assert admits(admission)


def test_an_overload_that_lasts_is_tried_from_time_to_time() -> None:
    clock = Clock()
    admission = entered(40, clock)
    admission.learn_refusal()

    while clock.now_s < LONGEST_S:
        assert not admits(admission)
        clock.now_s += QUIET_S / 2

    assert admits(admission)


def test_one_request_may_always_enter() -> None:
    admission = entered(1, Clock())
    admission.learn_refusal()
    for _ in range(100):
        admission.learn_waits(20.0)
    admission.leave()

    assert admits(admission)


async def test_a_busy_embedder_is_healthy(clients: Clients, colours: InferenceWorker) -> None:
    class Busy(Full):
        async def describe(self) -> ModelDescription:
            raise Overloaded()

    response = await clients(embedder=Busy(colours, places=0)).get("/v1/health")

    assert response.status_code == 200


async def test_a_body_that_does_not_arrive_is_given_up(clients: Clients) -> None:
    api = clients(settings=ApiSettings(body_timeout_s=0.1))

    async def half() -> AsyncIterator[bytes]:
        yield drawing(0)[:100]
        await asyncio.Event().wait()

    response = await api.post("/v1/detect", content=half(), headers={"content-type": "image/jpeg"})

    assert code_of(response) == (408, "body_timeout")
    assert message_of(response) == ("Expected 200,000 bytes of the request body, or its end, every 0.1 s; found 100.")
    assert response.headers["connection"] == "close"


async def test_an_image_whose_client_left_is_not_looked_at() -> None:
    encoder = Gated()
    worker = InferenceWorker(encoder, EmbedderTuning())
    running = asyncio.create_task(worker.analyze(drawing(0), AnalyzeOptions()))
    assert await asyncio.to_thread(encoder.begun.wait, 30)
    abandoned = asyncio.create_task(worker.analyze(drawing(0), AnalyzeOptions()))
    await asyncio.sleep(0)  # it waits now

    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    encoder.let_go.set()
    await running
    await worker.analyze(drawing(0), AnalyzeOptions())

    assert encoder.seen == 2
    worker.close()
