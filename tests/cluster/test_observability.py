"""What a real node exports and logs after a few requests."""

import re
from pathlib import Path

import httpx
import pytest
import skimage.data
from PIL import Image

from deployments import metrics
from deployments.metrics import METRICS
from tests.cluster.node import Cluster, wait_for
from tests.cluster.test_service import png

pytestmark = pytest.mark.cluster

# Recall is sampled where it is asked for, of searches through an index.
UNRECORDED = {metrics.RECALL_SAMPLES}


def test_a_node_exports_every_metric_and_logs_every_request(cluster: Cluster) -> None:
    image = png(Image.fromarray(skimage.data.astronaut()))
    with cluster.client() as client:
        client.post("/v1/collections", json={"id": "seen", "name": "Seen"})
        client.post("/v1/collections/seen/persons", files={"images": ("a.png", image)}, data={"id": "eileen"})
        headers = {"Content-Type": "image/png", "x-request-id": "observed-1"}
        found = client.post("/v1/collections/seen/search", content=image, headers=headers)
        token = client.headers["authorization"].split(" ")[1]
    assert found.status_code == 200

    wanted = {f"ray_{metric.name}" for metric in METRICS if metric not in UNRECORDED}
    wait_for(lambda: wanted <= exported(cluster))  # Ray's agents report every 10 s
    wait_for(lambda: 'request observed-1", ' in logged(cluster))

    assert token not in logged(cluster)
    assert "eileen" not in logged(cluster)


def exported(cluster: Cluster) -> set[str]:
    """Return the metrics that the node exports, counters and histograms without what their names end with."""
    for port in metrics_ports(cluster):
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        names = re.findall(r"^(ray_faceserve_\w+?)(?:_total|_bucket|_sum|_count)?\{", text, re.MULTILINE)
        if names:
            return set(names)
    return set()


def metrics_ports(cluster: Cluster) -> set[str]:
    """Return the ports that Ray chose for metrics; its processes are told on their command lines."""
    lines = [" ".join(process.cmdline()) for process in cluster.node.children(recursive=True)]
    return {port for line in lines for port in re.findall(r"metrics[-_]export[-_]port=(\d+)", line)} - {"0"}


def logged(cluster: Cluster) -> str:
    """Return the logs of all replicas."""
    folder = Path(cluster.folder) / "ray" / "session_latest" / "logs" / "serve"
    return "".join(path.read_text() for path in folder.glob("replica_*.log"))
