"""`faceserve export` and `faceserve restore` as a person sees them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from rich.console import Console

from deployments.commands.archiving.archive import verified
from deployments.commands.archiving.export import export
from deployments.commands.archiving.restore import restore
from deployments.commands.service import EXIT_WITH_REJECTS, print_json
from faceserve_client import AsyncClient


def run_export(client: AsyncClient, collection_id: str, path: Path, *, prints_json: bool) -> None:
    """Write the collection to `path`. Raises CommandFailed, FaceserveError."""
    console = Console(stderr=True)
    with console.status("Exporting …"):
        counts = _run(client, lambda: export(client, collection_id, path))
    _tell(console, f"{path}: ", counts, prints_json=prints_json)


def run_restore(client: AsyncClient, path: Path, collection_id: str, *, prints_json: bool) -> int:
    """Restore `path`; return the exit code, 3 where something was passed over. Raises CommandFailed, FaceserveError."""
    console = Console(stderr=True)
    with console.status("Verifying …"):
        archive = verified(path)
    with console.status("Restoring …"):
        counts = _run(client, lambda: restore(client, archive, collection_id))
    _tell(console, f"{collection_id}: ", counts, prints_json=prints_json)
    return EXIT_WITH_REJECTS if counts["skipped"] else 0


def _run(client: AsyncClient, work: Callable[[], Awaitable[dict[str, int]]]) -> dict[str, int]:
    async def run() -> dict[str, int]:
        async with client:
            return await work()

    return asyncio.run(run())


def _tell(console: Console, what: str, counts: Mapping[str, int], *, prints_json: bool) -> None:
    if prints_json:
        print_json(counts)
    else:
        console.print(what + ", ".join(f"{count} {name}" for name, count in counts.items()), highlight=False)
