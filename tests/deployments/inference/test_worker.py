"""One encoder behind one thread."""

import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from configs.tuning import EmbedderTuning
from deployments.inference import worker as inference
from deployments.inference.worker import InferenceWorker
from encoders.errors import EncoderBroken, UnsupportedImageFormat
from encoders.types import AnalyzeOptions
from tests.deployments.colours import ColourEncoder, drawing


class Broken(ColourEncoder):
    """Its models no longer answer as they did."""

    def check(self) -> None:
        raise EncoderBroken


@pytest.fixture
def worker() -> Iterator[InferenceWorker]:
    opened = InferenceWorker(ColourEncoder(), EmbedderTuning())
    yield opened
    opened.close()


async def test_an_image_is_seen_with_the_model_that_saw_it(worker: InferenceWorker) -> None:
    seen = await worker.analyze(drawing(0, 90), AnalyzeOptions())

    assert len(seen.analysis.faces) == 2
    assert seen.model is await worker.describe()


async def test_an_image_that_cannot_be_used_raises_what_the_encoder_raises(worker: InferenceWorker) -> None:
    with pytest.raises(UnsupportedImageFormat):
        await worker.analyze(b"garbage", AnalyzeOptions())


async def test_new_tuning_holds_from_the_next_image_on(worker: InferenceWorker) -> None:
    worker.tune(EmbedderTuning(max_faces=1))

    seen = await worker.analyze(drawing(0, 90), AnalyzeOptions())

    assert len(seen.analysis.faces) == 1


async def test_models_that_just_answered_are_not_checked() -> None:
    worker = InferenceWorker(Broken(), EmbedderTuning())
    await worker.analyze(drawing(0), AnalyzeOptions())

    await worker.check()

    worker.close()


async def test_idle_models_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "CHECK_AFTER_IDLE_S", 0.0)
    worker = InferenceWorker(Broken(), EmbedderTuning())

    with pytest.raises(EncoderBroken):
        await worker.check()

    worker.close()


async def test_a_stream_of_bad_images_needs_no_check_but_from_time_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = InferenceWorker(Broken(), EmbedderTuning())
    now = time.monotonic()

    async def check_after(seconds: float) -> None:
        clock = SimpleNamespace(monotonic=lambda: now + seconds, perf_counter=time.perf_counter)
        monkeypatch.setattr(inference, "time", clock)
        with pytest.raises(UnsupportedImageFormat):
            await worker.analyze(b"garbage", AnalyzeOptions())
        await worker.check()

    await check_after(inference.CHECK_AFTER_IDLE_S + 1)
    await check_after(inference.CHECK_AFTER_BAD_IMAGES_S - 1)
    with pytest.raises(EncoderBroken):
        await check_after(inference.CHECK_AFTER_BAD_IMAGES_S + 1)

    worker.close()
