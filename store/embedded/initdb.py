"""Makes the data directory of the embedded PostgreSQL."""

import secrets
import shutil
import subprocess
from pathlib import Path

from store.embedded.postmaster_user import PostmasterUser
from store.errors import LocalDatabaseFailed


def create_cluster(cluster: Path, password: Path, user: PostmasterUser, timeout_s: float) -> None:
    """Make a new data directory, whose superuser `postgres` gets a random password, written to `password`.

    It is made beside its final name and then renamed: a killed initdb leaves nothing that looks whole.
    Raises LocalDatabaseFailed.
    """
    partial = cluster.with_name(f"{cluster.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    password.touch(mode=0o600)
    password.write_text(secrets.token_urlsafe(24))
    user.own(partial)
    user.own(password)
    finished = subprocess.run(
        [
            str(user.binaries() / "initdb"),
            f"--pgdata={partial}",
            "--username=postgres",
            f"--pwfile={password}",
            "--auth-local=trust",  # the socket's directory is open to this user alone
            "--auth-host=scram-sha-256",
            # The builtin C.UTF-8 locale sorts by code point and folds case for all of Unicode, the same everywhere.
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=timeout_s,
        check=False,
        **user.popen(),
    )
    if finished.returncode != 0:
        raise LocalDatabaseFailed("create its data", finished.stdout.decode(errors="replace")[-2000:])
    partial.rename(cluster)
