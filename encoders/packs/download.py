"""Fetches known packs: from InsightFace's model zoo, or out of the installation."""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from encoders.errors import PackDownloadFailed, PackNotFound
from encoders.packs.catalog import KNOWN_PACKS, KnownPack
from encoders.packs.directory import Pack
from encoders.packs.install import CHUNK_BYTES, install, unpack
from encoders.packs.opencv import make_opencv_pack

# insightface.utils.storage.MODEL_ZOO_RELEASE_DOWNLOAD_URL, written out because importing it takes 2 s.
MODEL_ZOO_URL = "https://github.com/deepinsight/insightface/releases/download/model-zoo/"

CONNECT_TIMEOUT_S = 10.0
STALL_TIMEOUT_S = 30.0  # without a byte
TOTAL_TIMEOUT_S = 3600.0  # antelopev2's 361 MB at 0.8 Mbit/s

Progress = Callable[[int, int], None]


def why_unreachable(name: str, base_url: str = MODEL_ZOO_URL, within_s: float = 5.0) -> str | None:
    """Return why the archive of the known pack `name` does not begin to arrive within `within_s`; None if it does.

    The zoo's host redirects to another one, which may be closed where the first is open: both are asked. That happens
    in a thread of its own, since looking up a name may take half a minute and knows no time limit.
    """
    found: list[str | None] = []

    def ask() -> None:
        try:
            with httpx.stream("GET", _url_of(name, base_url), timeout=within_s, follow_redirects=True) as response:
                found.append(None if response.is_success else f"it answered {response.status_code}")
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
            found.append(str(exc) or type(exc).__name__)

    asking = threading.Thread(target=ask, daemon=True, name="reach the model zoo")
    asking.start()
    asking.join(within_s)
    return found[0] if found else f"it did not answer within {within_s:g} s"


def pull_pack(
    models_dir: Path,
    name: str,
    progress: Progress | None = None,
    base_url: str = MODEL_ZOO_URL,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    stall_timeout_s: float = STALL_TIMEOUT_S,
    total_timeout_s: float = TOTAL_TIMEOUT_S,
    catalog: Mapping[str, KnownPack] = KNOWN_PACKS,
) -> Pack:
    """Return the known pack `name`, downloaded unless it is there already; a partial or damaged one is replaced.

    `progress` is called with the bytes received and expected. The archive's and the models' sha256 are checked. Raises
    PackNotFound for a name that the zoo does not have and PackDownloadFailed, which says what was tried and how to do
    without; then nothing in `models_dir` has changed. PackCorrupt when the files are not the ones that are known.
    """
    known = catalog.get(name)
    if known is None:
        raise PackNotFound(name, f"Expected one of {', '.join(catalog)}; import others from a file.")
    if known.archive_sha256 is None or known.archive_bytes is None:
        return make_opencv_pack(models_dir)
    archive_sha256, archive_bytes = known.archive_sha256, known.archive_bytes
    url = _url_of(name, base_url)
    timeout = httpx.Timeout(stall_timeout_s, connect=connect_timeout_s)
    deadline = time.monotonic() + total_timeout_s

    def fill(directory: Path) -> None:
        archive = directory / f"{name}.zip"
        try:
            digest = _download(url, archive, timeout, deadline, archive_bytes, progress)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise _failed(name, url, str(exc) or type(exc).__name__) from exc
        if digest != archive_sha256:
            raise _failed(name, url, f"the file's sha256 is {digest}, expected {archive_sha256}")
        unpack(archive, directory, name)
        archive.unlink()

    return install(models_dir, name, fill, "keep", lock_timeout_s=total_timeout_s)


def _url_of(name: str, base_url: str) -> str:
    return f"{base_url.rstrip('/')}/{name}.zip"


def _download(
    url: str, archive: Path, timeout: httpx.Timeout, deadline: float, expected_bytes: int, progress: Progress | None
) -> str:
    """Return the sha256 of what `url` gave, now in `archive`."""
    digest, received = hashlib.sha256(), 0
    with (
        httpx.Client(timeout=timeout, follow_redirects=True) as client,
        client.stream("GET", url) as response,
        archive.open("wb") as file,
    ):
        response.raise_for_status()
        for chunk in response.iter_bytes(CHUNK_BYTES):
            received += len(chunk)
            if received > expected_bytes:
                raise httpx.HTTPError(f"more than the expected {expected_bytes:,} bytes came")
            if time.monotonic() > deadline:
                raise TimeoutError("it took too long")
            digest.update(chunk)
            file.write(chunk)
            if progress is not None:
                progress(received, expected_bytes)
    return digest.hexdigest()


def _failed(name: str, url: str, what: str) -> PackDownloadFailed:
    return PackDownloadFailed(
        name,
        f"Tried {url}: {what}. Without access to it, fetch {name}.zip by other means and run "
        f"'faceserve pack import {name}.zip'.",
    )
