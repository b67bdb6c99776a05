"""Which model pack `faceserve up` takes, and what it says about it.

The model zoo is asked through a proxy of these tests, which answers nothing and counts who comes.
"""

import contextlib
import io
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from deployments.commands.pack_choice import choose_pack
from encoders.packs.catalog import KNOWN_PACKS
from encoders.packs.download import why_unreachable
from tests.models import opencv_models_dir
from tests.ports import free_port


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=1000)


def told(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def silent_proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A proxy on the way to the model zoo that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        go_through(monkeypatch, listener.getsockname()[1])
        yield listener


def go_through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    for name in ("NO_PROXY", "no_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")


def was_asked(listener: socket.socket) -> bool:
    with contextlib.suppress(BlockingIOError):
        listener.accept()[0].close()
        return True
    return False


def test_where_the_model_zoo_cannot_be_reached_opencv_is_taken_with_the_reason_and_the_licence(
    monkeypatch: pytest.MonkeyPatch, console: Console
) -> None:
    go_through(monkeypatch, free_port())

    chosen = choose_pack(opencv_models_dir(), None, console)

    assert chosen == "opencv"
    assert "buffalo_l is not in" in told(console)
    assert "the pack `opencv` instead" in told(console)
    assert "A collection belongs to the pack that it was made with" in told(console)
    assert f"Its licence permits commercial use. {KNOWN_PACKS['opencv'].licence}" in told(console)


def test_a_pack_on_disk_is_taken_without_asking_anybody(
    silent_proxy: socket.socket, console: Console, tmp_path: Path
) -> None:
    known = KNOWN_PACKS["buffalo_l"]
    (tmp_path / "buffalo_l").mkdir()
    for file in (known.detector, known.recogniser):
        (tmp_path / "buffalo_l" / file).touch()  # their content is not looked into before the models are loaded

    chosen = choose_pack(tmp_path, None, console)

    assert chosen == "buffalo_l"
    assert f"Its licence does not permit commercial use. {known.licence}" in told(console)
    assert not was_asked(silent_proxy)


def test_opencv_by_name_is_taken_without_asking_anybody(silent_proxy: socket.socket, console: Console) -> None:
    chosen = choose_pack(opencv_models_dir(), "opencv", console)

    assert chosen == "opencv"
    assert not was_asked(silent_proxy)


def test_a_model_zoo_that_does_not_answer_is_given_up(silent_proxy: socket.socket) -> None:
    reason = why_unreachable("buffalo_l", within_s=0.3)

    assert reason is not None
    assert was_asked(silent_proxy)
