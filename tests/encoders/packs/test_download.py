import hashlib
import io
import socket
import threading
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from insightface.utils.storage import MODEL_ZOO_RELEASE_DOWNLOAD_URL

from encoders.errors import PackDownloadFailed, PackNotFound
from encoders.packs.catalog import KNOWN_PACKS, KnownPack
from encoders.packs.directory import find_pack, verify_pack
from encoders.packs.download import MODEL_ZOO_URL, pull_pack, why_unreachable


class Zoo(BaseHTTPRequestHandler):
    """Serves `archive` as drawn.zip, and misbehaves at the other names."""

    archive: ClassVar[bytes] = b""
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.requests.append(self.path)
        if self.path == "/redirected/drawn.zip":
            self.send_response(302)
            self.send_header("Location", "/drawn.zip")
            self.end_headers()
            return
        if self.path.startswith("/missing"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.archive)))
        self.end_headers()
        if self.path.startswith("/interrupted"):
            self.wfile.write(self.archive[: len(self.archive) // 2])
        elif self.path.startswith("/stalled"):
            self.wfile.write(self.archive[:100])
            self.wfile.flush()
            self.server.stop_stalling.wait(20)  # type: ignore[attr-defined]
        else:
            self.wfile.write(self.archive)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def zoo(drawn_models_dir: Path) -> Iterator[str]:
    """Yield the URL of a model zoo on this machine."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as opened:
        for path in (drawn_models_dir / "drawn").glob("*.onnx"):
            opened.write(path, f"drawn/{path.name}")
    Zoo.archive = buffer.getvalue()
    Zoo.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Zoo)
    server.stop_stalling = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.stop_stalling.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def catalog(zoo: str) -> Mapping[str, KnownPack]:
    known = replace(
        KNOWN_PACKS["buffalo_sc"],
        name="drawn",
        archive_sha256=hashlib.sha256(Zoo.archive).hexdigest(),
        archive_bytes=len(Zoo.archive),
    )
    return {"drawn": known}


def left_in(models_dir: Path) -> list[str]:
    return sorted(path.name for path in models_dir.iterdir() if not path.name.endswith(".lock"))


@pytest.mark.parametrize("place", ["", "/redirected/"])
def test_a_pack_is_pulled_verified_and_found(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack], place: str
) -> None:
    seen: list[tuple[int, int]] = []

    pack = pull_pack(tmp_path, "drawn", lambda done, total: seen.append((done, total)), zoo + place, catalog=catalog)

    assert verify_pack(pack)
    assert find_pack(tmp_path, "drawn") == pack
    assert seen[-1] == (len(Zoo.archive), len(Zoo.archive))
    assert left_in(tmp_path) == ["drawn"]


def test_a_pack_that_is_there_is_not_pulled_again(tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack]) -> None:
    pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)
    pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)

    assert len(Zoo.requests) == 1


@pytest.mark.parametrize("damage", ["partial", "cut off"])
def test_a_partial_or_damaged_pack_is_pulled_again(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack], damage: str
) -> None:
    pack = pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)
    if damage == "partial":
        pack.recogniser.unlink()
    else:
        pack.recogniser.write_bytes(pack.recogniser.read_bytes()[:1000])

    pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)

    assert verify_pack(find_pack(tmp_path, "drawn"))


def test_two_pulls_at_once_download_once(tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack]) -> None:
    pulls = [
        threading.Thread(target=pull_pack, args=(tmp_path, "drawn"), kwargs={"base_url": zoo, "catalog": catalog})
        for _ in range(3)
    ]
    for pull in pulls:
        pull.start()
    for pull in pulls:
        pull.join()

    assert verify_pack(find_pack(tmp_path, "drawn"))
    assert len(Zoo.requests) == 1


@pytest.mark.parametrize("place", ["interrupted", "stalled", "missing"])
def test_a_download_that_fails_leaves_nothing(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack], place: str
) -> None:
    with pytest.raises(PackDownloadFailed, match=f"Tried {zoo}/{place}/drawn.zip"):
        pull_pack(tmp_path, "drawn", base_url=f"{zoo}/{place}", stall_timeout_s=0.3, catalog=catalog)

    assert left_in(tmp_path) == []


def test_a_download_that_takes_too_long_leaves_nothing(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack]
) -> None:
    with pytest.raises(PackDownloadFailed, match="too long"):
        pull_pack(tmp_path, "drawn", base_url=zoo, total_timeout_s=-1, catalog=catalog)

    assert left_in(tmp_path) == []


def test_another_archive_than_the_known_one_is_refused(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack]
) -> None:
    Zoo.archive = Zoo.archive[:-1] + b"\1"

    with pytest.raises(PackDownloadFailed, match="sha256"):
        pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)

    assert left_in(tmp_path) == []


def test_an_archive_that_is_too_large_is_not_read_to_its_end(
    tmp_path: Path, zoo: str, catalog: Mapping[str, KnownPack]
) -> None:
    Zoo.archive += bytes(10_000_000)

    with pytest.raises(PackDownloadFailed, match="more than the expected"):
        pull_pack(tmp_path, "drawn", base_url=zoo, catalog=catalog)


def test_offline_the_error_says_what_was_tried_and_how_to_do_without(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    with pytest.raises(PackDownloadFailed) as failure:
        pull_pack(tmp_path, "buffalo_l", base_url=f"http://127.0.0.1:{port}")

    assert f"http://127.0.0.1:{port}/buffalo_l.zip" in str(failure.value)
    assert "faceserve pack import buffalo_l.zip" in str(failure.value)
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("place", "reason"), [("", None), ("/redirected", None), ("/missing", "it answered 404"), ("/stalled", None)]
)
def test_that_a_pack_can_be_fetched_is_known_from_the_beginning_of_its_archive(
    zoo: str, place: str, reason: str | None
) -> None:
    assert why_unreachable("drawn", zoo + place) == reason


def test_a_zoo_that_does_not_answer_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reason = why_unreachable("drawn", f"http://127.0.0.1:{silent.getsockname()[1]}", within_s=0.2)

    assert reason is not None


def test_a_name_that_the_zoo_does_not_have_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(PackNotFound, match="buffalo_l"):
        pull_pack(tmp_path, "buffalo_xl")


def test_the_zoos_address_is_the_one_that_insightface_uses() -> None:
    assert MODEL_ZOO_URL == MODEL_ZOO_RELEASE_DOWNLOAD_URL
