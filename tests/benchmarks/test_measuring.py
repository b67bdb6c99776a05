"""What the measurements share: reading a rung, telling processes apart, quantiles, charts, the plain galleries."""

import contextlib
import http.server
import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import asyncpg
import numpy as np
import pytest

from encoders.types import Box
from store.embedded.local import LocalPostgres
from tests.benchmarks import plots
from tests.benchmarks.encoders import gpu
from tests.benchmarks.machine import role_of
from tests.benchmarks.packs.packs import make_pack
from tests.benchmarks.results import table
from tests.benchmarks.serving.agreement import overlap
from tests.benchmarks.serving.baselines import baselines_of
from tests.benchmarks.serving.galleries import Gallery, best_match, fill
from tests.benchmarks.serving.load import apply_load, summarise
from tests.benchmarks.serving.serving import Configuration, configuration
from tests.conftest import create_database


def test_a_rung_says_its_pack_its_provider_and_its_shape() -> None:
    assert configuration("bench_l:openvino:4x2") == Configuration("bench_l", "openvino", 4, 2)
    assert configuration("bench_l").provider == "cpu"
    assert configuration("bench_l:openvino:4x2").label == "bench_l, openvino, 4 x 2"


def test_a_pack_is_measured_beside_the_usual_code_around_its_models() -> None:
    assert {baseline.models for baseline in baselines_of("opencv")} == {"opencv"}
    assert {baseline.models for baseline in baselines_of("bench_l")} == {"insightface"}


def test_half_a_box_overlaps_a_whole_one_by_half() -> None:
    assert overlap(Box(0, 0, 10, 10), Box(0, 0, 5, 10)) == 0.5
    assert overlap(Box(0, 0, 10, 10), Box(20, 0, 30, 10)) == 0


@pytest.mark.parametrize(
    ("command", "role"),
    [
        ("ray::ServeReplica:faceserve:Embedder", "Embedder"),
        ("postgres: io worker 1", "PostgreSQL"),
        ("/venv/ray/core/src/ray/raylet/raylet --store_socket_name=x", "raylet"),
        ("/venv/bin/python /venv/bin/uvicorn --factory a:b", "worker"),
        ("/venv/bin/python -c from multiprocessing.spawn import spawn_main", "worker"),
        ("cat", "others"),
    ],
)
def test_a_process_is_told_by_its_command_line(command: str, role: str) -> None:
    assert role_of(command) == role


def test_one_answer_is_all_of_its_quantiles() -> None:
    load = summarise(1, 2.0, [5.0], 0)

    assert (load.p50_ms, load.p95_ms, load.p99_ms, load.per_second) == (5.0, 5.0, 5.0, 0.5)


def test_a_load_without_an_answer_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 failures"):
        summarise(4, 2.0, [], 3)


def test_a_load_counts_answers_and_failures_apart() -> None:
    with every_second_fails() as url:
        load = apply_load(url, {}, [b"picture"], concurrency=2, seconds=0.2)

    assert load.answers > 0
    assert abs(load.answers - load.failures) <= 1


@contextlib.contextmanager
def every_second_fails() -> Iterator[str]:
    """Run a server that answers 200 and 500 in turns."""
    answered: list[int] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answered.append(200 if len(answered) % 2 == 0 else 500)
            self.send_response(answered[-1])
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/search"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "chart",
    [plots.bars("a < b", {"one & two": 1.0, "three": 2.5}, "/s"), plots.lines("a", ["1", "2"], {"x<y": [1, 2]}, "/s")],
)
def test_a_chart_is_well_formed(chart: str) -> None:
    texts = [element.text or "" for element in ElementTree.fromstring(chart).iter("{http://www.w3.org/2000/svg}text")]

    assert any("<" in text or "&" in text for text in texts)


def test_a_table_has_a_line_for_each_row() -> None:
    assert table(["a", "b"], [[1, "x"]]) == "| a | b |\n| --- | --- |\n| 1 | x |"


@pytest.mark.parametrize("gallery", ["array", "pgvector"])
async def test_a_plain_gallery_finds_who_is_in_it(postgres: LocalPostgres, gallery: Gallery) -> None:
    await create_database(postgres, f"plain_{gallery}")
    url = postgres.url_of(f"plain_{gallery}")
    await fill(url, gallery, faces=20)
    embeddings = np.random.default_rng(5).standard_normal((20, 512))
    connection = await asyncpg.connect(url)

    person, similarity = await best_match(connection, gallery, embeddings[7].tolist())

    await connection.close()
    assert person == "p7"
    assert similarity == pytest.approx(1, abs=1e-5)


def test_the_gpu_measurement_runs_on_the_cpu(
    models_dir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_pack(models_dir, "bench_sc")
    arguments = ["--pack=bench_sc", "--providers", "cpu", "--batches", "1", "2", "--rounds=1", "--seconds=0"]
    monkeypatch.setattr(sys, "argv", ["gpu", f"--models-dir={models_dir}", *arguments])

    gpu.main()

    assert "| cpu | fp32 |" in capsys.readouterr().out


def test_what_was_measured_is_valid_json() -> None:
    for path in (Path(__file__).parent / "results").glob("*.json"):
        assert "machine" in json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
