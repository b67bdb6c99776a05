"""How much memory an embedded server takes for its data."""

import os
from pathlib import Path

CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
LEAST_BYTES = 256 << 20  # about 65,000 faces with their index
SHARE_OF_MACHINE = 4  # one part of; the models and the page cache need theirs


def shared_buffers(stored_bytes: int, machine_bytes: int) -> int:
    """Return the bytes of `shared_buffers`: room for all that is stored and a quarter more, within the machine's share.

    A million faces take 4.1 GB. With too few buffers each page of an index is copied from the page cache again at
    every search.
    """
    return max(LEAST_BYTES, min(stored_bytes * 5 // 4, machine_bytes // SHARE_OF_MACHINE))


def stored_bytes(cluster: Path) -> int:
    """Return the size of the databases in a PostgreSQL data directory, 0 if it does not exist."""
    return sum(path.stat().st_size for path in (cluster / "base").glob("*/*") if path.is_file())


def machine_bytes() -> int:
    """Return the memory that this process may use: the machine's, or less by the container's limit."""
    installed = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = (path.read_text().strip() for path in CGROUP_LIMITS if path.is_file())
    return min(installed, *(int(limit) for limit in limits if limit.isdecimal()), installed)
