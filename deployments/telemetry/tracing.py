"""Traces, where they are asked for: our spans inside Serve's, and where all of them go.

Serve itself makes a span of each request and of each call between replicas, and passes the context along. It does so
when RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH names `otlp_processors`; otherwise every span here is OpenTelemetry's own
that does nothing. Our attributes are sizes and counts. Serve's and
FastAPI's have the request's path, and with it the ids of collections and persons; nothing has an image or an embedding.
"""

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode

from encoders.types import Analysis

EXPORTER = "deployments.telemetry.tracing:otlp_processors"


@contextlib.contextmanager
def span(name: str) -> Iterator[Span]:
    """Give a span of what happens inside; an error marks it with the error's name, without its text."""
    tracer = trace.get_tracer("faceserve")
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:
        try:
            yield current
        except Exception as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def trace_image(analysis: Analysis, *, waited_s: float, took_s: float) -> None:
    """Add the stages of an image, which has just been analysed in threads, to the current span: all waiting first."""
    if not trace.get_current_span().is_recording():
        return
    tracer = trace.get_tracer("faceserve")
    begun_ns = time.time_ns() - round((waited_s + took_s) * 1e9)
    for name, seconds in (
        ("wait", waited_s),
        ("decode", analysis.decode_ms / 1e3),
        ("detect", analysis.detect_ms / 1e3),
        ("embed", analysis.embed_ms / 1e3),
    ):
        ended_ns = begun_ns + round(seconds * 1e9)
        tracer.start_span(name, start_time=begun_ns).end(ended_ns)
        begun_ns = ended_ns
    trace.get_current_span().set_attribute("faceserve.faces", analysis.faces_found)


def otlp_processors() -> list[Any]:
    """Return what Serve hands all spans to: a sender to OTEL_EXPORTER_OTLP_ENDPOINT, as OpenTelemetry's variables say.

    Raises ImportError without the group `telemetry`.
    """
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return [BatchSpanProcessor(OTLPSpanExporter())]


def tracing_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what has Serve trace, given the OpenTelemetry variables in `environment`; nothing without an endpoint.

    Serve would trace one request in a hundred; who asks for traces on one machine wants all.
    """
    if not (environment.get("OTEL_EXPORTER_OTLP_ENDPOINT") or environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")):
        return {}
    wanted = {
        "RAY_SERVE_TRACING_EXPORTER_IMPORT_PATH": EXPORTER,
        "RAY_SERVE_TRACING_SAMPLING_RATIO": "1.0",
        "OTEL_SERVICE_NAME": "faceserve",
    }
    return {name: value for name, value in wanted.items() if name not in environment}
