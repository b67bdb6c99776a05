"""`faceserve up` as a person at a terminal uses it."""

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from store.embedded.local import LocalPostgres
from tests.cluster.node import BIN, wait_for
from tests.models import opencv_models_dir
from tests.ports import free_port

pytestmark = pytest.mark.cluster


class Terminal:
    """`faceserve up` in a session of its own, as a shell starts it."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.port = free_port()
        self.log = folder / "up.log"
        self._data = folder / "data"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACESERVE_")}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [BIN / "faceserve", "up", f"--port={self.port}", f"--data={self._data}", "--proxy=python", *arguments],
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        return self.log.read_text()

    def wait_until_it_answers(self) -> None:
        def answers() -> bool:
            assert self.process.poll() is None, self.text
            return "Ctrl-C stops" in self.text

        wait_for(answers)

    def family(self) -> list[psutil.Process]:
        """Return every process that belongs to the service: children, and what runs on its data."""
        marks = (str(self._data), f"--port={self.port}")
        found = psutil.Process(self.process.pid).children(recursive=True)
        others = [
            p for p in psutil.process_iter(["cmdline"]) if any(m in " ".join(p.info["cmdline"] or ()) for m in marks)
        ]
        return [*found, *others]

    def stop(self, number: signal.Signals) -> int:
        os.killpg(self.process.pid, number) if number == signal.SIGINT else self.process.send_signal(number)
        return self.process.wait(60)


async def collections_in(url: str) -> list[str]:
    connection = await asyncpg.connect(url)
    try:
        return [row["id"] for row in await connection.fetch("select id from collections")]
    finally:
        await connection.close()


@pytest.fixture
def folder() -> Iterator[Path]:
    # not pytest's own folder: as root PostgreSQL runs as another user, and pytest closes that folder to others
    path = Path(tempfile.mkdtemp(prefix="fs", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "a service manager"])
def test_it_stops_without_a_process_left_behind_and_no_data_lost(folder: Path, number: signal.Signals) -> None:
    terminal = Terminal(folder, "--pack=opencv", f"--models={opencv_models_dir()}")
    terminal.wait_until_it_answers()
    curl = re.search(r'curl -s -H "Authorization: (Bearer \S+)" (\S+)', terminal.text)
    assert curl is not None
    headers = {"Authorization": curl[1]}
    models = httpx.get(curl[2], headers=headers)
    created = httpx.post(
        f"http://127.0.0.1:{terminal.port}/v1/collections", headers=headers, json={"id": "kept", "name": "Kept"}
    )
    family = terminal.family()

    code = terminal.stop(number)

    _, alive = psutil.wait_procs(family, timeout=10)
    with LocalPostgres(folder / "data" / "postgres") as postgres:
        kept = asyncio.run(collections_in(postgres.url))
    assert models.status_code == 200
    assert created.status_code == 201
    assert code == 0
    assert terminal.text.rstrip().endswith(f"The data stays in {folder / 'data'}")
    assert "***" not in terminal.text  # nor does Ray print a stack
    assert len(family) > 5
    assert not alive, [process.name() for process in alive]
    assert kept == ["kept"]


def test_a_taken_port_is_one_clear_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [BIN / "faceserve", "up", f"--port={port}", f"--data={folder}"], capture_output=True, text=True, timeout=60
        )

    assert done.returncode == 1
    assert done.stderr.strip() == f"faceserve: 127.0.0.1:{port} is taken; choose another with --port."


def test_a_pack_that_is_not_there_is_named_before_anything_starts(folder: Path) -> None:
    done = subprocess.run(
        [BIN / "faceserve", "up", f"--port={free_port()}", f"--data={folder}", "--pack=nothing", f"--models={folder}"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    assert "Model pack 'nothing': not found." in done.stderr
    assert "Traceback" not in done.stderr
