"""A small file system of its own for a database, so that it can really be full."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIZE = "400m"
BLOCK = bytes(2**20)


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted file system."""

    path: Path

    def fill(self) -> None:
        """Take every free byte."""
        filler = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        block = BLOCK
        try:
            while block:
                try:
                    os.write(filler, block)
                except OSError:  # ENOSPC: go on with half of it, down to the last byte
                    block = block[: len(block) // 2]
        finally:
            os.close(filler)

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.path / "filler").unlink(missing_ok=True)


@contextlib.contextmanager
def small_volume() -> Iterator[Volume | None]:
    """Give a file system of 400 MB in memory, which root alone can mount; None where that is not allowed."""
    folder = Path(tempfile.mkdtemp(prefix="fsvolume", dir="/tmp"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield Volume(folder) if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=True)
        shutil.rmtree(folder, ignore_errors=True)
