import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from store.embedded.local import LocalPostgres, temporary_postgres
from store.errors import LocalDatabaseFailed


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory whose parents others may pass, unlike pytest's own."""
    made = Path(tempfile.mkdtemp(prefix="faceserve test "))  # a space, as in many a home directory
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def server() -> Iterator[LocalPostgres]:
    with temporary_postgres() as started:
        yield started


@pytest.fixture
def postgres(server: LocalPostgres) -> LocalPostgres:
    """A running server, whatever the test before did to it."""
    server.start()
    return server


def ask(url: str, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


def processes_of(directory: Path) -> list[int]:
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        is_there = str(process.info["cwd"]).startswith(str(directory))
        if is_there and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_data_outlives_the_server(postgres: LocalPostgres) -> None:
    ask(postgres.url, "create table kept as select 1 as number")

    postgres.stop()
    postgres.start()

    assert ask(postgres.url, "select number from kept") == 1


def test_stopping_leaves_no_process_behind(postgres: LocalPostgres) -> None:
    assert processes_of(postgres.directory)

    postgres.stop()

    assert processes_of(postgres.directory) == []
    assert postgres.pid is None
    with pytest.raises(LocalDatabaseFailed):
        _ = postgres.url


def test_stopping_twice_and_starting_twice_are_fine(postgres: LocalPostgres) -> None:
    pid = postgres.pid

    assert postgres.start() == postgres.url
    assert postgres.pid == pid
    postgres.stop()
    postgres.stop()


def test_a_killed_server_recovers_what_was_committed(postgres: LocalPostgres) -> None:
    ask(postgres.url, "create table recovered as select 1 as number")
    assert postgres.pid is not None

    os.kill(postgres.pid, signal.SIGKILL)
    postgres.start()

    assert ask(postgres.url, "select number from recovered") == 1


def test_a_pid_file_of_an_unrelated_process_is_no_obstacle(postgres: LocalPostgres) -> None:
    pid_file = postgres.directory / "cluster" / "postmaster.pid"
    lines = pid_file.read_text().splitlines(keepends=True)
    postgres.stop()
    pid_file.write_text("".join([f"{os.getpid()}\n", *lines[1:]]))

    postgres.start()

    assert ask(postgres.url, "select 1") == 1


def test_a_second_start_joins_as_a_guest_who_does_not_stop_it(postgres: LocalPostgres) -> None:
    guest = LocalPostgres(postgres.directory)

    assert guest.start() == postgres.url
    assert (guest.is_owner, guest.pid) == (False, postgres.pid)
    guest.stop()

    assert ask(postgres.url, "select 1") == 1


def test_a_server_left_by_a_killed_process_is_taken_over(directory: Path) -> None:
    start = "from store.embedded.local import LocalPostgres; LocalPostgres(sys.argv[1]).start()"
    script = f"import os, sys; {start}; os._exit(9)"
    subprocess.run([sys.executable, "-c", script, str(directory / "data")], check=False)
    heir = LocalPostgres(directory / "data")
    left = heir.pid
    assert left is not None

    heir.start()

    assert (heir.is_owner, heir.pid) == (True, left)
    heir.stop()
    assert processes_of(directory) == []


def test_an_interrupted_creation_is_begun_again(directory: Path) -> None:
    partial = directory / "data" / "cluster.partial"
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")

    with LocalPostgres(directory / "data") as postgres:
        assert ask(postgres.url, "select 1") == 1

    assert not partial.exists()


def test_only_the_owner_reads_the_data_and_reaches_the_socket(postgres: LocalPostgres) -> None:
    for name, mode in (("cluster", 0o700), ("run", 0o700), ("password", 0o600)):
        assert stat.S_IMODE((postgres.directory / name).stat().st_mode) == mode


def test_a_directory_too_deep_for_a_socket_gets_a_shorter_one(directory: Path) -> None:
    deep = directory.joinpath(*["a-long-name-of-a-directory"] * 5)

    with LocalPostgres(deep) as postgres:
        assert ask(postgres.url, "select 1") == 1
        sockets = Path(str(ask(postgres.url, "show unix_socket_directories")))
        assert len(str(sockets)) < 80

    assert not sockets.exists()


def test_on_a_port_it_asks_for_the_password() -> None:
    with temporary_postgres(port=0) as postgres:
        assert ask(postgres.url, "select inet_server_addr()::text") == "127.0.0.1/32"
        password = (postgres.directory / "password").read_text()
        with pytest.raises(asyncpg.InvalidPasswordError):
            ask(postgres.url.replace(password, "guess"), "select 1")


def test_a_temporary_server_is_gone_afterwards() -> None:
    with temporary_postgres(settings={"work_mem": "7MB"}) as postgres:
        assert ask(postgres.url, "show work_mem") == "7MB"
        directory = postgres.directory

    assert not directory.exists()
    assert processes_of(directory) == []


def test_a_setting_that_postgres_refuses_is_told(directory: Path) -> None:
    with pytest.raises(LocalDatabaseFailed, match="shared_buffers"):
        LocalPostgres(directory / "data", settings={"shared_buffers": "nonsense"}).start()

    with LocalPostgres(directory / "data") as postgres:
        assert ask(postgres.url, "select 1") == 1


def test_data_of_another_major_version_is_refused(directory: Path) -> None:
    (directory / "data" / "cluster").mkdir(parents=True)
    (directory / "data" / "cluster" / "PG_VERSION").write_text("16\n")

    with pytest.raises(LocalDatabaseFailed, match="16"):
        LocalPostgres(directory / "data").start()


def test_durability_is_on(postgres: LocalPostgres) -> None:
    settings = [ask(postgres.url, f"show {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]

    assert settings == ["on", "on", "on"]


def test_the_log_names_no_person(postgres: LocalPostgres) -> None:
    ask(postgres.url, "create table persons (id text primary key)")
    ask(postgres.url, "insert into persons values ('ada')")

    with pytest.raises(asyncpg.UniqueViolationError):
        ask(postgres.url, "insert into persons values ('ada')")

    log = (postgres.directory / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "ada" not in log
