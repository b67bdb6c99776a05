"""The deployed application over HTTP: what only a real Serve can show."""

import asyncio
import io
import os
import signal
import time

import asyncpg
import httpx
import pytest
import skimage.data
from PIL import Image, PngImagePlugin

from tests.cluster.node import Cluster, deployment_of, production_config, wait_for

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def astronaut() -> bytes:
    return png(Image.fromarray(skimage.data.astronaut()))


@pytest.fixture(scope="module")
def gallery(cluster: Cluster, astronaut: bytes) -> str:
    """A collection in which one person is enrolled."""
    with cluster.client() as client:
        created = client.post("/v1/collections", json={"id": "crew", "name": "Crew"})
        assert created.status_code == 201, created.text
        enrolled = client.post(
            "/v1/collections/crew/persons", files={"images": ("a.png", astronaut)}, data={"id": "eileen"}
        )
        assert enrolled.status_code == 201, enrolled.text
    return "crew"


def png(image: Image.Image, padding: bytes = b"") -> bytes:
    """Return a PNG file, made heavy by a chunk that decoders pass over."""
    chunks = PngImagePlugin.PngInfo()
    if padding:
        chunks.add(b"paDd", padding)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=chunks)
    return buffer.getvalue()


def search(client: httpx.Client, collection: str, image: bytes) -> httpx.Response:
    return client.post(f"/v1/collections/{collection}/search", content=image, headers={"Content-Type": "image/png"})


def test_a_person_enrolled_over_http_is_found(cluster: Cluster, gallery: str, astronaut: bytes) -> None:
    with cluster.client() as client:
        found = search(client, gallery, astronaut)

    assert found.status_code == 200
    assert found.json()["matches"][0]["person"]["id"] == "eileen"
    assert found.json()["matches"][0]["similarity"] > 0.99


def test_two_embedder_replicas_run_as_the_yaml_asks(cluster: Cluster) -> None:
    assert len(cluster.replicas("Embedder")) == 2


def test_an_error_of_the_embedder_arrives_as_an_envelope_without_a_traceback(cluster: Cluster) -> None:
    with cluster.client() as client:
        answer = client.post("/v1/detect", files={"image": ("x.jpg", b"\xff\xd8\xff\xe0 no image")})

    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_image"
    assert "Traceback" not in answer.text
    assert "ray" not in answer.text.lower().replace("array", "")


def test_an_error_of_the_store_arrives_as_an_envelope_without_a_traceback(cluster: Cluster) -> None:
    with cluster.client() as client:
        answer = client.get("/v1/collections/nowhere")

    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "Collection 'nowhere' was not found."


def test_every_response_has_one_request_id(cluster: Cluster) -> None:
    answer = httpx.get(f"{cluster.url}/v1/health", headers={"x-request-id": "mine-1"})

    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    assert answer.json()["request_id"] == "mine-1"


def test_without_a_token_nothing_is_answered(cluster: Cluster) -> None:
    answer = httpx.get(f"{cluster.url}/v1/collections")

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("megabytes", [2, 6])
def test_images_larger_than_a_message_between_replicas_pass(cluster: Cluster, gallery: str, megabytes: int) -> None:
    heavy = png(Image.fromarray(skimage.data.astronaut()), padding=bytes(megabytes * 2**20))

    with cluster.client() as client:
        found = search(client, gallery, heavy)

    assert len(heavy) > megabytes * 2**20
    assert found.status_code == 200, found.text


async def test_overload_is_answered_with_429_and_retry_after_and_passes(
    cluster: Cluster, gallery: str, astronaut: bytes
) -> None:
    config = production_config(cluster.http_port)
    deployment_of(config, "Embedder")["max_queued_requests"] = 1
    cluster.deploy(config)
    with cluster.client() as client:
        token = client.headers["authorization"]
    headers = {"Authorization": token, "Content-Type": "image/png"}
    limits = httpx.Limits(max_connections=None)

    async with httpx.AsyncClient(base_url=cluster.url, headers=headers, timeout=90, limits=limits) as client:
        answers: list[httpx.Response] = []
        deadline = time.monotonic() + 60
        while not any(answer.status_code == 429 for answer in answers):  # the routers hear of the change in a moment
            assert time.monotonic() < deadline
            answers = await asyncio.gather(*(client.post("/v1/detect", content=astronaut) for _ in range(40)))
        later = await client.post("/v1/detect", content=astronaut)

    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(answer.headers["retry-after"] == "1" for answer in refused)
    assert {answer.json()["error"]["code"] for answer in refused} == {"overloaded"}
    assert later.status_code == 200


async def backends(cluster: Cluster) -> set[int]:
    """Return the process ids of the connections that the search replicas hold."""
    connection = await asyncpg.connect(cluster.postgres.url)
    try:
        rows = await connection.fetch("select pid from pg_stat_activity where application_name = 'faceserve'")
    finally:
        await connection.close()
    return {row["pid"] for row in rows}


async def test_thresholds_gates_and_ef_search_change_without_a_restart(
    cluster: Cluster, gallery: str, astronaut: bytes
) -> None:
    names = ("Ingress", "Embedder", "Search")
    before = {name: cluster.replicas(name) for name in names}
    connections = await backends(cluster)
    config = production_config(cluster.http_port)
    deployment_of(config, "Ingress")["user_config"] |= {"match_threshold": 0.87, "min_face_px": 4000}
    deployment_of(config, "Embedder")["user_config"] |= {"max_faces": 1}
    deployment_of(config, "Search")["user_config"] |= {"ef_search": 222}

    cluster.deploy(config)

    with cluster.client() as client:
        wait_for(lambda: client.get("/v1/models").json()["default_threshold"] == 0.87)
        compared = client.post("/v1/compare", files={"source": astronaut, "target": astronaut}).json()
        reviewed = client.post(
            f"/v1/collections/{gallery}/persons",
            files={"images": ("a.png", astronaut)},
            data={"id": "again", "review_mode": "standard"},
        )
        found = search(client, gallery, astronaut)
    assert compared["threshold"] == 0.87
    assert reviewed.status_code == 422
    assert reviewed.json()["error"]["details"]["rejected_images"][0]["reason"] == "face_too_small"
    assert found.status_code == 200
    assert {name: cluster.replicas(name) for name in names} == before
    # a pool with another ef_search is a new set of connections; the replica that holds it is the old one
    assert not connections & await backends(cluster)

    cluster.deploy(production_config(cluster.http_port))


def test_a_killed_database_is_503_while_away_and_nothing_acknowledged_is_lost(
    cluster: Cluster, gallery: str, astronaut: bytes
) -> None:
    with cluster.client() as client:
        acknowledged = client.post(
            f"/v1/collections/{gallery}/persons", files={"images": ("a.png", astronaut)}, data={"id": "just-before"}
        )
        assert cluster.postgres.pid is not None
        os.kill(cluster.postgres.pid, signal.SIGKILL)
        wait_for(lambda: cluster.postgres.pid is None)
        away = search(client, gallery, astronaut)
        unhealthy = client.get("/v1/health")

        cluster.postgres.start()
        wait_for(lambda: client.get("/v1/health").status_code == 200)
        back = search(client, gallery, astronaut)
        person = client.get(f"/v1/collections/{gallery}/persons/just-before")

    assert acknowledged.status_code == 201
    assert away.status_code == 503
    assert away.json()["error"]["code"] == "database_unavailable"
    assert unhealthy.status_code == 503
    assert unhealthy.json()["components"] == {"embedder": "ready", "database": "unavailable"}
    assert back.status_code == 200
    assert person.status_code == 200
