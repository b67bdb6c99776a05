"""What the service measures of itself: every metric with its meaning, and where a measurement goes.

Labels take few values: names of operations, codes, parts of ours. Tenants, collections and persons are never labels.
"""

from dataclasses import dataclass
from typing import Literal, Protocol

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
LAG_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
FACES = (1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 100.0)
SIMILARITIES = tuple(step / 20 for step in range(1, 20))  # 0.05 to 0.95; the first bucket takes what is below, too


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric as it is documented. `boundaries`: upper edges of a histogram's buckets, in the unit of the name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    meaning: str
    labels: tuple[str, ...] = ()
    boundaries: tuple[float, ...] = ()


REQUESTS = Metric(
    "faceserve_requests",
    "counter",
    "Requests that were answered; `code` is the error's or `none`, status 499 means that the client left.",
    ("operation", "status", "code"),
)
REQUEST_SECONDS = Metric(
    "faceserve_request_seconds",
    "histogram",
    "From a request's headers to the end of its answer, in the ingress.",
    ("operation",),
    SECONDS,
)
CALL_SECONDS = Metric(
    "faceserve_call_seconds",
    "histogram",
    "From the ingress to a `part` and back: `embedder` for an image, `search` for an operation on the store.",
    ("part",),
    SECONDS,
)
STAGE_SECONDS = Metric(
    "faceserve_stage_seconds",
    "histogram",
    "One image in the embedder: waiting (`queue`), `decode`, `detect`, `embed`, and `analyze`, all but the waiting.",
    ("stage",),
    SECONDS,
)
EMBEDDER_QUEUE = Metric(
    "faceserve_embedder_queue", "gauge", "Images that wait in an embedder replica for the one that runs."
)
FACES_PER_IMAGE = Metric(
    "faceserve_faces_per_image", "histogram", "Faces that the detector found in an image.", (), FACES
)
RECOGNITION_BATCH = Metric(
    "faceserve_recognition_batch_faces", "histogram", "Faces that the recogniser got at once.", (), FACES
)
BEST_SIMILARITY = Metric(
    "faceserve_best_similarity",
    "histogram",
    "Cosine of a face and the best candidate, whatever was decided.",
    ("operation",),
    SIMILARITIES,
)
DECISIONS = Metric(
    "faceserve_decisions",
    "counter",
    "Faces that were compared or searched, by `match`, `uncertain` and `no_match`.",
    ("operation", "decision"),
)
STORE_SECONDS = Metric(
    "faceserve_store_seconds",
    "histogram",
    "One operation of the store in a search replica, with the wait for a connection.",
    ("operation",),
    SECONDS,
)
SEARCHES = Metric(
    "faceserve_searches", "counter", "Searches by `tier`: `exact`, or `indexed` by signs or HNSW.", ("tier",)
)
POOL_CONNECTIONS = Metric(
    "faceserve_pool_connections",
    "gauge",
    "A search replica's connections to PostgreSQL, `open` and `in_use`, and operations `waiting` for one.",
    ("state",),
)
RECALL_SAMPLES = Metric(
    "faceserve_recall_samples",
    "counter",
    "Probes of indexed searches that were searched exactly as well: is the best person the `same`, or `missed`.",
    ("outcome",),
)
LOOP_LAG_SECONDS = Metric(
    "faceserve_loop_lag_seconds",
    "histogram",
    "How much later than due a replica's event loop woke up, looked at four times a second.",
    (),
    LAG_SECONDS,
)
INGRESS_REQUESTS = Metric(
    "faceserve_ingress_requests",
    "gauge",
    "Requests in an ingress replica: `under_way`, `arriving` with their bodies, and `room` for how many under way.",
    ("state",),
)

METRICS = (
    REQUESTS,
    REQUEST_SECONDS,
    INGRESS_REQUESTS,
    CALL_SECONDS,
    STAGE_SECONDS,
    EMBEDDER_QUEUE,
    FACES_PER_IMAGE,
    RECOGNITION_BATCH,
    BEST_SIMILARITY,
    DECISIONS,
    STORE_SECONDS,
    SEARCHES,
    POOL_CONNECTIONS,
    RECALL_SAMPLES,
    LOOP_LAG_SECONDS,
)


class Meters(Protocol):
    """Where measurements go."""

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        """Add `value` to a counter, observe it in a histogram or set a gauge to it. `labels`: in the metric's order."""
        ...


class NoMeters:
    """Forgets every measurement: for an application without Ray around it."""

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        """Do nothing."""
