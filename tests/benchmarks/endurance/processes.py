"""What the processes of a running service hold, over time, and whether it grows."""

import asyncio
import contextlib
import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MEMORY_NOISE_MB = 5.0
MEMORY_NOISE_SHARE = 0.025
HANDLE_NOISE = 3.0  # open files or threads
SETTLES_IN = 1 / 3  # of the time: caches, pools and allocators fill


@dataclass(frozen=True, slots=True)
class Sample:
    """What one process held at `at_s`. `memory_mb`: resident, without what it shares with others."""

    at_s: float
    memory_mb: float
    files: int
    threads: int


@dataclass(frozen=True, slots=True)
class Growth:
    """How the memory of one process went. `grown_mb`: the robust slope after the settling time, times that time."""

    process: str
    first_mb: float
    last_mb: float
    grown_mb: float
    files: tuple[int, int]
    threads: tuple[int, int]

    @property
    def is_memory_flat(self) -> bool:
        return self.grown_mb <= max(MEMORY_NOISE_MB, MEMORY_NOISE_SHARE * self.first_mb)

    @property
    def is_flat(self) -> bool:
        return (
            self.is_memory_flat
            and self.files[1] - self.files[0] <= HANDLE_NOISE
            and self.threads[1] - self.threads[0] <= HANDLE_NOISE
        )


class Watch:
    """Samples a tree of processes; PostgreSQL's backends, which come and go, are one: all memory, the most files."""

    def __init__(self, roots: Iterable[psutil.Process]) -> None:
        self._roots = list(roots)
        self.samples: dict[str, list[Sample]] = defaultdict(list)

    def look(self) -> None:
        """Take one sample of every process."""
        at_s = time.monotonic()
        found: dict[str, list[Sample]] = defaultdict(list)
        for root in self._roots:
            with contextlib.suppress(psutil.NoSuchProcess):
                for process in [root, *root.children(recursive=True)]:
                    with contextlib.suppress(psutil.Error, OSError):
                        found[name_of(process)].append(sample(process.pid, at_s))
        for name, parts in found.items():
            self.samples[name].append(
                Sample(
                    at_s,
                    sum(part.memory_mb for part in parts),
                    max(part.files for part in parts),
                    max(part.threads for part in parts),
                )
            )

    def lasting(self) -> dict[str, list[Sample]]:
        """Return the samples of the processes that were there at the first look after settling, and at the last."""
        every = [sample.at_s for samples in self.samples.values() for sample in samples]
        settled, end = min(every) + SETTLES_IN * (max(every) - min(every)), max(every)
        return {
            name: samples
            for name, samples in sorted(self.samples.items())
            if samples[0].at_s <= settled and samples[-1].at_s == end
        }

    def passing(self) -> list[str]:
        """Return the processes that came after settling, or ended."""
        return sorted(set(self.samples) - set(self.lasting()))

    def growth(self) -> list[Growth]:
        """Return how each lasting process went, the largest first."""
        found = [growth_of(name, samples) for name, samples in self.lasting().items()]
        return sorted(found, key=lambda growth: -growth.first_mb)


@contextlib.asynccontextmanager
async def every(seconds: float, look: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Call `look` now and every so many `seconds` while the block runs, and once after it."""

    async def keep_looking() -> None:
        while True:
            await look()
            await asyncio.sleep(seconds)

    looking = asyncio.create_task(keep_looking())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
    await look()


def name_of(process: psutil.Process) -> str:
    """Return what a process is in the service, with its pid where there may be several."""
    command = process.cmdline()
    title = command[0] if command else process.name()
    if process.name().startswith("postgres") or title.startswith("postgres"):
        return "PostgreSQL"
    if title.startswith("ray::"):
        name = title.removeprefix("ray::").removeprefix("ServeReplica:")
        return f"{re.split(r'[.(]', name)[0].strip()} {process.pid}"  # without the method that it runs just now
    module = next((Path(word).stem for word in command[1:] if word.endswith(".py")), Path(title).name)
    return f"{module} {process.pid}"


def sample(pid: int, at_s: float) -> Sample:
    """Return what the process holds now. Raises OSError when it is gone."""
    status = dict(
        line.split(":", 1)
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        if ":" in line
    )
    kilobytes = sum(int(status[name].split()[0]) for name in ("RssAnon", "RssFile") if name in status)
    return Sample(at_s, kilobytes / 1024, len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]))


def growth_of(name: str, samples: Sequence[Sample]) -> Growth:
    """Return how one process went: the slope is Theil and Sen's, which a few high samples do not move."""
    settled = [sample for sample in samples if sample.at_s >= samples[0].at_s + SETTLES_IN * span(samples)]
    step = max(1, len(settled) // 10)
    begin, end = settled[:step], settled[-step:]
    return Growth(
        name,
        statistics.median(sample.memory_mb for sample in begin),
        statistics.median(sample.memory_mb for sample in end),
        slope([(sample.at_s, sample.memory_mb) for sample in settled]) * span(settled),
        (middle(sample.files for sample in begin), middle(sample.files for sample in end)),
        (middle(sample.threads for sample in begin), middle(sample.threads for sample in end)),
    )


def span(samples: Sequence[Sample]) -> float:
    """Return the seconds between the first and the last sample."""
    return samples[-1].at_s - samples[0].at_s


def middle(values: Iterable[int]) -> int:
    """Return the median as a whole number."""
    return round(statistics.median(values))


def slope(points: Sequence[tuple[float, float]], most: int = 400) -> float:
    """Return the median of the slopes between all pairs of `points`; of every n-th point where there are many."""
    kept = points[:: max(1, len(points) // most)]
    slopes = [
        (right[1] - left[1]) / (right[0] - left[0])
        for index, left in enumerate(kept)
        for right in kept[index + 1 :]
        if right[0] > left[0]
    ]
    return statistics.median(slopes) if slopes else 0.0
