"""The service that the browser talks to: `faceserve up` as a process, started once for all tests."""

import io
import os
import re
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from PIL import Image

from configs.settings import TokenSettings
from deployments.commands.demo import bundled_photo, cut_portrait
from deployments.commands.tokens import make_token
from deployments.http.access.tokens import SCOPES
from tests.cluster.node import BIN, wait_for
from tests.ports import free_port

PACK = "opencv"  # comes with the installation, so that nothing is downloaded
GAVE_UP = "timed out during startup"
SECRET = "a-secret-of-the-tests-with-more-than-32-bytes"


@dataclass
class Service:
    """`faceserve up` on a port and a data folder of its own. It can be stopped and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    database_url: str | None = None  # one of its own by default
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """The address with a token that the command printed."""
        found = re.search(r"^ +(http\S+/#token=\S+)$", self._log.read_text(), flags=re.MULTILINE)
        assert found is not None, self._log.read_text()
        return found[1]

    @property
    def _log(self) -> Path:
        return self.folder / "up.log"

    def start(self) -> None:
        """Start the service and return once it answers; again where Ray gave up after 30 s, as on a busy machine."""
        for is_last in (False, False, True):
            self._launch()
            try:
                wait_for(self._answers)
            except AssertionError:
                if is_last or GAVE_UP not in self._log.read_text():
                    raise
            else:
                return

    def _launch(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FACESERVE_")}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    BIN / "faceserve",
                    "up",
                    f"--port={self.port}",
                    f"--data={self.folder / 'data'}",
                    f"--models={self.folder / 'models'}",
                    f"--pack={PACK}",
                    "--provider=cpu",
                    "--proxy=python",
                    *([] if self.database_url is None else [f"--database-url={self.database_url}"]),
                ],
                stdout=log,
                stderr=log,
                env=environment | {"FACESERVE_JWT_SECRET": SECRET},
                start_new_session=True,
            )

    def stop(self) -> None:
        """Stop the service; the data stays."""
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)

    def token(self, **claims: Any) -> str:
        """Return a token of the tenant that the link's token has; it may do everything unless `claims` say less."""
        wanted: dict[str, Any] = {"tenant": "default", "scopes": SCOPES, "expires_s": 3600.0, **claims}
        return make_token(SECRET, settings=TokenSettings(), **wanted)

    def client(self) -> httpx.Client:
        """Return a client of the API that may do everything."""
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token()}"}, timeout=60)

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self._log.read_text()
        return "Ctrl-C stops" in self._log.read_text()


@dataclass(frozen=True)
class Album:
    """The group photo that the installed InsightFace ships, and a portrait of each of its faces."""

    group: Path
    portraits: tuple[Path, ...]


def make_album(service: Service) -> Album:
    """Return the album, as files that a browser can be given; faces are found by the service itself."""
    group = service.folder / "group.jpg"
    group.write_bytes(bundled_photo().read_bytes())
    with Image.open(group) as picture, service.client() as client:
        picture.load()
        found = client.post("/v1/detect", content=group.read_bytes(), headers={"Content-Type": "image/jpeg"})
        boxes = [face["bbox"]["normalized"] for face in found.raise_for_status().json()["faces"]]
        portraits = []
        for number, box in enumerate(boxes):
            place = (box["left"], box["top"], box["width"], box["height"])
            path = service.folder / f"portrait-{number}.jpg"
            cut_portrait(picture.convert("RGB"), place).save(path, quality=95)
            portraits.append(path)
    return Album(group, tuple(portraits))


def grey_picture(folder: Path) -> Path:
    """Return a picture without a face."""
    path = folder / "grey.jpg"
    buffer = io.BytesIO()
    Image.new("RGB", (320, 240), (120, 130, 140)).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue())
    return path
