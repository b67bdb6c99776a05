"""`faceserve pack`: see, fetch, bring in and check model packs."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Table

from encoders.packs.catalog import KNOWN_PACKS
from encoders.packs.directory import find_pack, list_packs, verify_pack
from encoders.packs.download import pull_pack
from encoders.packs.install import import_pack


def pull(models_dir: Path, name: str, console: Console) -> None:
    """Fetch pack `name`, with its licence said first and progress shown. Raises PackError."""
    known = KNOWN_PACKS.get(name)
    if known is not None:
        console.print(f"Pulling {name}. Licence: {known.licence}", soft_wrap=True)
    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=None)

        def show(received: int, total: int | None) -> None:
            progress.update(task, completed=received, total=total)

        pull_pack(models_dir, name, show)
    console.print(f"{name} is in {models_dir}")


def bring_in(models_dir: Path, source: Path, name: str | None, console: Console, *, overwrite: bool = False) -> None:
    """Import a pack from a zip file or a directory; with `overwrite` in place of one of its name. Raises PackError."""
    pack = import_pack(models_dir, source, name, overwrite)
    console.print(f"{pack.name} is in {models_dir}. Licence: {pack.licence}", soft_wrap=True)


def verify(models_dir: Path, name: str, console: Console) -> None:
    """Read both models of a pack in full and print their digests. Raises PackError."""
    pack = find_pack(models_dir, name)
    for component in verify_pack(pack):
        console.print(f"{component.task:12} {component.file:20} sha256 {component.sha256}", soft_wrap=True)
    console.print(f"[green]{name} is complete and readable.[/green] Licence: {pack.licence}")


def show(models_dir: Path, console: Console) -> None:
    """Print the packs that are known or on disk."""
    table = Table("pack", "state", "threshold", "licence")
    for status in list_packs(models_dir):
        known = KNOWN_PACKS.get(status.name)
        if status.pack is not None:
            state, threshold, licence = "on disk", f"{status.pack.default_threshold:.2f}", status.pack.licence
        else:
            state = "absent" if status.problem is None else status.problem.code.removeprefix("pack_")
            threshold = f"{known.default_threshold:.2f}" if known else ""
            licence = known.licence if known else ""
        table.add_row(status.name, state, threshold, licence)
    console.print(table)
    console.print(f"in {models_dir}")
