"""One encoder behind one thread."""

from collections.abc import Iterator

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
