"""What a real node exports and logs after a few requests."""

import re
from pathlib import Path

import httpx
import pytest
import skimage.data
from PIL import Image

from deployments.telemetry import metrics
from deployments.telemetry.metrics import METRICS
from tests.cluster.node import Cluster, wait_for
from tests.cluster.test_service import png
from tests.deployments.telemetry.test_metrics import DASHBOARDS, all_series

pytestmark = pytest.mark.cluster

# Recall is sampled where it is asked for, of searches through an index.
UNRECORDED = {metrics.RECALL_SAMPLES}


def test_a_node_exports_every_metric_and_logs_every_request(cluster: Cluster) -> None:
    image = png(Image.fromarray(skimage.data.astronaut()))
    before = {path: path.stat().st_size for path in logs(cluster)}  # other tests kill what it was that failed
    with cluster.client() as client:
        client.post("/v1/collections", json={"id": "seen", "name": "Seen"})
        client.post("/v1/collections/seen/persons", files={"images": ("a.png", image)}, data={"id": "eileen"})
        client.get("/v1/collections/seen/persons/secret-person")
        client.post("/v1/collections/seen/persons", files={"images": ("a.png", image)}, data={"id": "eileen"})
        client.post("/v1/detect", content=b"secret-bytes", headers={"Content-Type": "image/png"})
        headers = {"Content-Type": "image/png", "x-request-id": "observed-1"}
        found = client.post("/v1/collections/seen/search", content=image, headers=headers)
        token = client.headers["authorization"].split(" ")[1]
    assert found.status_code == 200

    wanted = {series for metric in METRICS if metric not in UNRECORDED for series in all_series(metric)}
    wait_for(lambda: wanted <= exported(cluster))  # Ray's agents report every 10 s
    assert of_serve() <= exported(cluster)
    wait_for(lambda: 'request observed-1", ' in logged(cluster))

    assert token not in logged(cluster)
    told = "".join(path.read_text()[before.get(path, 0) :] for path in logs(cluster))
    for unwanted in ("eileen", "secret", "Traceback"):
        assert unwanted not in told


def of_serve() -> set[str]:
    """Return Serve's own metrics that the dashboard and the alerts use."""
    texts = [path.read_text() for path in (DASHBOARDS / "grafana.json", DASHBOARDS / "alerts.yaml")]
    return set(re.findall(r"ray_serve_\w+", "".join(texts)))


def exported(cluster: Cluster) -> set[str]:
    """Return the series that the node exports."""
    found: set[str] = set()
    for port in metrics_ports(cluster):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        names = re.findall(r"^(ray_(?:face)?serve_\w+)\{", text, re.MULTILINE)
        found |= set(names)
    return found


def metrics_ports(cluster: Cluster) -> set[str]:
    """Return the ports that Ray chose for metrics; its processes are told on their command lines."""
    lines = [" ".join(process.cmdline()) for process in cluster.node.children(recursive=True)]
    return {port for line in lines for port in re.findall(r"metrics[-_]export[-_]port=(\d+)", line)} - {"0"}


def logged(cluster: Cluster) -> str:
    """Return what all replicas have logged."""
    return "".join(path.read_text() for path in logs(cluster))


def logs(cluster: Cluster) -> list[Path]:
    """Return the files that replicas log to."""
    return sorted((Path(cluster.folder) / "ray" / "session_latest" / "logs" / "serve").glob("replica_*.log"))
