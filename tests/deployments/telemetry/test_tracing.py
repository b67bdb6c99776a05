"""Spans of the parts: their order, their parents, and what they do not tell."""

import itertools
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from configs.tuning import EmbedderTuning
from deployments.inference.worker import InferenceWorker
from deployments.telemetry import tracing
from encoders.types import AnalyzeOptions
from tests.deployments.colours import ColourEncoder, drawing


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Where the spans of a test end up."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    yield exporter
    provider.shutdown()


async def test_the_stages_of_an_image_are_spans_one_after_the_other(spans: InMemorySpanExporter) -> None:
    worker = InferenceWorker(ColourEncoder(), EmbedderTuning())

    with tracing.span("embedder.analyze"):
        await worker.analyze(drawing(0), AnalyzeOptions())

    worker.close()
    found = {span.name: span for span in spans.get_finished_spans()}
    stages = [found[name] for name in ("wait", "decode", "detect", "embed")]
    assert [span.parent and span.parent.span_id for span in stages] == [found["embedder.analyze"].context.span_id] * 4
    for before, after in itertools.pairwise(stages):
        assert before.end_time == after.start_time


async def test_an_error_is_told_by_its_name_alone(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError), tracing.span("store.search"):
        raise ValueError("of tenant acme")

    [failed] = spans.get_finished_spans()
    assert failed.status.description == "ValueError"
    assert "acme" not in failed.to_json()


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert tracing.tracing_environment({}) == {}
    with tracing.span("anything") as span:
        assert not span.is_recording()


def test_with_an_endpoint_serve_is_told_to_trace() -> None:
    told = tracing.tracing_environment({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SERVICE_NAME": "mine"})

    assert told == {
        "RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH": "deployments.telemetry.tracing:otlp_processors",
        "RAY_SERVE_TRACING_SAMPLING_RATIO": "1.0",
    }
