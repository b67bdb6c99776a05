"""`faceserve pack quantize`: make the int8 twin of a pack, and say how much it differs."""

from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from deployments.commands.errors import CommandFailed
from encoders.packs.directory import find_pack
from encoders.packs.quantization_report import DECISION_MARGIN, REPORT_FILE, Pairs, QuantizationReport
from encoders.quantization.quantize import QuantizationRefused, find_photos, quantize_pack
from encoders.runtimes.processor import has_vnni


def quantize(
    models_dir: Path, name: str, photos_dir: Path, out_name: str | None, console: Console, threads: int = 1
) -> None:
    """Quantise pack `name` on the photos in `photos_dir` and print the report. Raises PackError and CommandFailed.

    Photos in folders of `photos_dir` that are named after a person are compared person by person too.
    """
    out_name = out_name or f"{name}_int8"
    pack = find_pack(models_dir, name)
    if not photos_dir.is_dir():
        raise CommandFailed("Expected a directory of photos.")
    photos, people = find_photos(photos_dir)
    console.print(f"Licence, inherited from {name}: {pack.licence}", soft_wrap=True)
    if has_vnni() is False:
        console.print(
            "[yellow]This processor has no VNNI: int8 gains nothing on it, and may be less exact here than there. "
            "Quantise on the kind of machine that will serve.[/yellow]",
            soft_wrap=True,
        )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        tasks: dict[str, TaskID] = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        try:
            report = quantize_pack(pack, photos, models_dir, out_name, people, threads, show)
        except QuantizationRefused as refused:
            console.print(report_table(refused.report))
            raise
    console.print(report_table(report))
    console.print(f"[green]{out_name} is in {models_dir}[/green], with its {REPORT_FILE}.", soft_wrap=True)
    console.print(f"It shares the embedding contract of {name}: galleries stay valid.")


def report_table(report: QuantizationReport) -> Table:
    """Return `report` as a table."""
    table = Table("", report.parent, report.pack, title=f"on {report.held_out_photos} photos held out from calibration")
    for what, cost in (("detector", report.detector_cost), ("recogniser", report.recogniser_cost)):
        table.add_row(f"{what}, MB", f"{cost.fp32_bytes / 1e6:.1f}", f"{cost.int8_bytes / 1e6:.1f}")
        ratio = cost.fp32_ms / cost.int8_ms
        mark = "green" if ratio > 1.1 else "yellow"
        table.add_row("  ms, one thread", f"{cost.fp32_ms:.1f}", f"{cost.int8_ms:.1f} [{mark}]x {ratio:.1f}[/{mark}]")
    found = report.detection
    calibration = f"{report.calibration_faces} faces in {report.calibration_photos} photos"
    table.add_row("calibrated on", "", calibration)
    table.add_row("faces found", str(report.held_out_faces), str(found.matched + found.extra))
    table.add_row("  missed, in excess", "", f"{found.missed}, {found.extra}")
    table.add_row("  overlap of boxes, mean, least", "", f"{found.mean_overlap:.3f}, {found.min_overlap:.3f}")
    for what, cosines in (("same crops", report.recogniser), ("own crops", report.whole_path)):
        spread = f"{cosines.mean:.4f}, {cosines.percentile_10:.4f}, {cosines.min:.4f}"
        table.add_row(f"cosine to fp32, {what}: mean, p10, least", "", spread)
    table.add_row(f"similarity of {report.int8_pairs.count} pairs: mean, largest shift", "", _shift(report.int8_pairs))
    table.add_row("  int8 probe, fp32 gallery", "", _shift(report.mixed_pairs))
    flips = f"{report.int8_pairs.flips}, {report.int8_pairs.flips_past_margin}"
    table.add_row(f"  across {report.threshold:.2f}, of these not within {DECISION_MARGIN}", "", flips)
    if report.verification is not None:
        people = report.verification
        table.add_row(
            f"accuracy on {people.same} pairs of one person, {people.different} of two",
            f"{people.fp32:.3f}",
            f"{people.int8:.3f}, fp32 gallery {people.mixed:.3f}",
        )
    if report.unreadable_photos:
        table.add_row("photos that cannot be read", "", str(report.unreadable_photos))
    if report.photos_left_out:
        table.add_row("photos not needed", "", str(report.photos_left_out))
    return table


def _shift(pairs: Pairs) -> str:
    return f"{pairs.mean_shift:+.4f}, {pairs.max_shift:.4f}"
