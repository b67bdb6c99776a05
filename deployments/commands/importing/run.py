"""`faceserve import` as a person sees it: progress, summary, exit code."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from deployments.commands.importing.engine import Import, ImportOptions
from deployments.commands.importing.outcomes import Report
from deployments.commands.importing.photos import ImportPhoto, photos_of
from deployments.commands.service import EXIT_WITH_REJECTS, print_json
from faceserve_client import AsyncClient


def run_import(
    client: AsyncClient, source: Path, options: ImportOptions, report_path: Path | None, *, prints_json: bool
) -> int:
    """Import `source`; return the exit code, 3 where files were not taken. Raises CommandFailed, FaceserveError."""
    console = Console(stderr=True)
    with console.status("Counting …"):
        total = sum(1 for _ in photos_of(source))
    began = time.monotonic()
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    )
    with Report(report_path) as report, progress:
        task = progress.add_task("Planning" if options.is_dry_run else "Importing", total=total)

        async def work() -> None:
            async with client:
                await Import(client, options, report).run(_shown(photos_of(source)))

        def _shown(photos: Iterator[ImportPhoto]) -> Iterator[ImportPhoto]:
            for photo in photos:
                progress.update(task, completed=report.total)
                yield photo

        asyncio.run(work())
        progress.update(task, completed=report.total)
    counts: dict[str, int] = {result: count for result, count in report.counts.items() if count}
    seconds = time.monotonic() - began
    if prints_json:
        print_json({"files": report.total, "seconds": round(seconds, 3), **counts, "reasons": dict(report.reasons)})
    else:
        told = ", ".join(f"{count} {result}" for result, count in counts.items()) or "no files"
        console.print(f"{report.total} files in {seconds:.1f} s: {told}", highlight=False)
        for reason, count in report.reasons.most_common(10):
            console.print(f"  {count} {reason}", highlight=False)
    return EXIT_WITH_REJECTS if report.bad else 0
