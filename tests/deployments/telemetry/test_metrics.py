"""What is measured of requests and images; where it is told; that every metric is documented, and nothing else used."""

import ast
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import yaml

from configs.tuning import EmbedderTuning
from deployments.inference.worker import InferenceWorker
from deployments.telemetry import metrics
from deployments.telemetry.metrics import METRICS, Metric
from encoders.types import AnalyzeOptions
from tests.deployments.colours import ColourEncoder, drawing
from tests.deployments.service import Clients, application, client, create_collection, enroll, multipart
from tests.deployments.tokens import token

ROOT = Path(__file__).parents[3]
DASHBOARDS = ROOT / "configs" / "dashboards"


class Kept:
    """Meters that remember what was recorded."""

    def __init__(self) -> None:
        self.records: list[tuple[str, float, tuple[str, ...]]] = []

    def record(self, metric: Metric, value: float, *labels: str) -> None:
        assert len(labels) == len(metric.labels)
        self.records.append((metric.name, value, labels))

    def labels(self, metric: Metric) -> list[tuple[str, ...]]:
        return [labels for name, _, labels in self.records if name == metric.name]

    def values(self, metric: Metric) -> list[float]:
        return [value for name, value, _ in self.records if name == metric.name]


@pytest.fixture
def meters() -> Kept:
    return Kept()


@pytest.fixture
async def measured(clients: Clients, meters: Kept) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application whose measurements are kept, with two persons in `staff`."""
    app = application(clients.embedder, clients.gallery, meters=meters)
    async with client(app, token(tenant=clients.tenant)) as api:
        await create_collection(api)
        await enroll(api, drawing(0), id="ada")
        await enroll(api, drawing(90), id="bob")
        meters.records.clear()
        yield api


async def test_a_request_is_counted_by_operation_status_and_code(measured: httpx.AsyncClient, meters: Kept) -> None:
    await measured.get("/v1/collections/staff")
    await measured.get("/v1/collections/nowhere")
    await measured.get("/v1/nothing")
    await measured.get("/v1/collections", headers={"Authorization": "Bearer x"})

    assert meters.labels(metrics.REQUESTS) == [
        ("get_collection", "200", "none"),
        ("get_collection", "404", "collection_not_found"),
        ("none", "404", "route_not_found"),
        ("list_collections", "401", "unauthorized"),
    ]
    assert all(0 < seconds < 60 for seconds in meters.values(metrics.REQUEST_SECONDS))


async def test_decisions_are_counted_with_the_best_similarity(measured: httpx.AsyncClient, meters: Kept) -> None:
    await measured.post("/v1/collections/staff/search", **multipart("image", drawing(0)))
    await measured.post("/v1/collections/staff/identify", **multipart("image", drawing(0, 200)))
    await measured.post("/v1/collections/staff/persons/ada/verify", **multipart("image", drawing(90)))
    await measured.post("/v1/compare", files={name: ("face.png", drawing(0)) for name in ("source", "target")})

    decisions = meters.labels(metrics.DECISIONS)
    assert decisions[0] == ("search", "match")
    assert sorted(decisions[1:3]) == [("identify_faces", "match"), ("identify_faces", "no_match")]
    assert decisions[3:] == [("verify", "no_match"), ("compare", "match")]
    assert len(meters.values(metrics.BEST_SIMILARITY)) == len(decisions)
    assert meters.values(metrics.BEST_SIMILARITY)[0] > 0.99


async def test_no_label_names_a_tenant_a_collection_or_a_person(
    measured: httpx.AsyncClient, meters: Kept, clients: Clients
) -> None:
    await measured.post("/v1/collections/staff/search", **multipart("image", drawing(0)))
    await measured.get("/v1/collections/staff/persons/ada")

    words = {label for _, _, labels in meters.records for label in labels}
    assert not words & {clients.tenant, "staff", "ada", "bob"}


async def test_the_stages_of_an_image_are_measured(meters: Kept) -> None:
    worker = InferenceWorker(ColourEncoder(), EmbedderTuning(), meters)

    await worker.analyze(drawing(0, 90), AnalyzeOptions())

    worker.close()
    assert meters.labels(metrics.STAGE_SECONDS) == [
        (stage,) for stage in ("queue", "decode", "detect", "embed", "analyze")
    ]
    assert meters.values(metrics.FACES_PER_IMAGE) == [2]
    assert meters.values(metrics.EMBEDDER_QUEUE)[-1] == 0


def test_every_metric_is_documented() -> None:
    table = (ROOT / "docs" / "monitor.md").read_text(encoding="utf-8")

    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels) or "-"
        assert f"| `{exported(metric)}` | {metric.kind} | {labels} | {metric.meaning} |" in table
    assert set(re.findall(r"ray_faceserve_\w+", table)) == {exported(metric) for metric in METRICS}


def test_every_metric_is_recorded_somewhere() -> None:
    names = {name for name, value in vars(metrics).items() if isinstance(value, Metric)}
    recorded = {
        node.args[0].id
        for path in (ROOT / "deployments").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "record"
        and node.args
        and isinstance(node.args[0], ast.Name)
    }

    assert names <= recorded
    assert len(METRICS) == len(names)


def test_the_dashboard_and_the_alerts_use_only_metrics_that_exist() -> None:
    dashboard = json.loads((DASHBOARDS / "grafana.json").read_text(encoding="utf-8"))
    alerts = yaml.safe_load((DASHBOARDS / "alerts.yaml").read_text(encoding="utf-8"))
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    expressions += [rule["expr"] for group in alerts["groups"] for rule in group["rules"]]
    exist = {series for metric in METRICS for series in all_series(metric)}

    used = {name for expression in expressions for name in re.findall(r"ray_faceserve_\w+", expression)}

    assert used <= exist
    assert {exported(metric) for metric in METRICS} <= {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}


def exported(metric: Metric) -> str:
    """Return the name that Ray's agent exports the metric under."""
    return f"ray_{metric.name}" + ("_total" if metric.kind == "counter" else "")


def all_series(metric: Metric) -> list[str]:
    name = exported(metric)
    return [f"{name}_{part}" for part in ("bucket", "sum", "count")] if metric.kind == "histogram" else [name]
