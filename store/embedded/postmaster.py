"""The server process of a PostgreSQL data directory, as its `postmaster.pid` tells."""

import socket
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from store.errors import LocalDatabaseFailed

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # answered by one byte, without authentication


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A running server. `host` is empty where it listens on its socket only."""

    pid: int
    port: int
    socket_directory: str
    host: str
    is_ready: bool

    def accepts_connections(self) -> bool:
        """Whether a session answers. `is_ready` alone may be the last word of a server that was killed just now."""
        if not self.is_ready:
            return False
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(5.0)
            try:
                probe.connect(f"{self.socket_directory}/.s.PGSQL.{self.port}")
                probe.sendall(SSL_REQUEST)
                return probe.recv(1) in (b"N", b"S")
            except OSError:
                return False

    def end(self, signal_number: int, timeout_s: float) -> bool:
        """Send the signal; return whether the process had ended within `timeout_s`. A zombie has."""
        deadline = time.monotonic() + timeout_s
        try:
            process = psutil.Process(self.pid)
            process.send_signal(signal_number)
            while process.status() != psutil.STATUS_ZOMBIE:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
        except psutil.NoSuchProcess:
            pass
        return True


def read_postmaster(cluster: Path) -> Postmaster | None:
    """Return the server that runs on the data directory, or None."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    # Lines: pid, data directory, start time, port, socket directory, host, shared memory, status. The later ones
    # appear while the server starts.
    if not lines or not _is_postmaster(int(lines[0]), cluster):
        return None
    lines += [""] * (8 - len(lines))
    return Postmaster(
        pid=int(lines[0]),
        port=int(lines[3] or 0),
        socket_directory=lines[4].strip(),
        host=lines[5].strip(),
        is_ready=lines[7].strip() == "ready",
    )


def forget_crashed_postmaster(cluster: Path, timeout_s: float) -> None:
    """Remove the `postmaster.pid` of a server that is gone, once its last backend has ended.

    PostgreSQL believes that its pid file is current if any process of the same user has that pid: a zombie
    that nobody reaps, or in a restarted container an unrelated process.
    Raises LocalDatabaseFailed if backends of the crashed server are still there after `timeout_s`.
    """
    pid_file = cluster / "postmaster.pid"
    if not pid_file.exists():
        return
    deadline = time.monotonic() + timeout_s
    while _has_backends(cluster):
        if time.monotonic() > deadline:
            raise LocalDatabaseFailed("start", "Processes of a crashed server are still running.")
        time.sleep(0.05)
    pid_file.unlink()


def _is_postmaster(pid: int, cluster: Path) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and str(cluster) in process.cmdline()
    except psutil.NoSuchProcess:
        return False


def _has_backends(cluster: Path) -> bool:
    for process in psutil.process_iter(["name", "cwd", "status"]):
        is_alive = process.info["status"] != psutil.STATUS_ZOMBIE
        if is_alive and process.info["name"] == "postgres" and process.info["cwd"] == str(cluster):
            return True
    return False
