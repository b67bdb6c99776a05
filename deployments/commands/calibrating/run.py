"""Carries a calibration through, tells what it found, and applies a policy if one is given."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from deployments.commands.calibrating.chart import save_png
from deployments.commands.calibrating.page import at_threshold, chart_of, html, rate_text, sentence
from deployments.commands.errors import CommandFailed
from faceserve_client import Client
from faceserve_client.models.calibrations import CalibrationChoiceResponse, CalibrationReportResponse

TABLE_EVERY = 0.1  # of thresholds that the terminal shows; a report has all


@dataclass(frozen=True, slots=True)
class CalibrateOptions:
    """How `faceserve calibrate` was called. `applies`: whether the policy's threshold is set."""

    collection: str
    persons: int
    sizes: Sequence[int]
    max_fpir: float | None
    at: str
    extrapolate: bool
    applies: bool
    report: Path | None


def calibrate(client: Client, options: CalibrateOptions, console: Console, *, prints_json: bool) -> None:
    """Calibrate the collection; progress goes to `console`, which is stderr where JSON is printed.

    Raises CommandFailed for a report of another kind than .html and .png, and the client's errors.
    """
    if options.report is not None and options.report.suffix not in (".html", ".png"):
        raise CommandFailed(f"Expected a report that ends in .html or .png, found {options.report.name}.")
    report = client.get_calibration(options.collection, _carried_through(client, options, console), size=options.sizes)
    choice = None
    if options.max_fpir is not None:
        choice = client.apply_calibration(
            options.collection,
            report.calibration.id,
            options.max_fpir,
            at=int(options.at) if options.at.isdigit() else options.at,
            extrapolate=options.extrapolate,
            dry_run=not options.applies,
        )
    if options.report is not None:
        _write(report, options.collection, options.report)
    if prints_json:
        told = {"report": report.model_dump(mode="json"), "choice": choice and choice.model_dump(mode="json")}
        print(json.dumps(told))
        return
    _show(report, console)
    if choice is not None:
        _show_choice(choice, console)
    if options.report is not None:
        console.print(f"The report is in {options.report}", soft_wrap=True)


def _carried_through(client: Client, options: CalibrateOptions, console: Console) -> str:
    calibration = client.start_calibration(options.collection, persons=options.persons)
    columns = (TextColumn("faces compared"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=calibration.faces)
        while calibration.finished_at is None:
            calibration = client.advance_calibration(options.collection, calibration.id)
            progress.update(task, completed=calibration.faces_compared, total=calibration.faces)
    return calibration.id


def _show(report: CalibrationReportResponse, console: Console) -> None:
    console.print(f"[bold]{sentence(report)}[/bold]", soft_wrap=True)
    sizes = (f"strangers, {size:,} persons" for size in report.sizes)
    table = Table("threshold", *sizes, "members missed")
    own = at_threshold(report)
    for row in report.rows:
        is_own = row is own
        if is_own or abs(row.threshold / TABLE_EVERY - round(row.threshold / TABLE_EVERY)) < 1e-6:
            cells = (rate_text(rate) for rate in (*row.fpir, row.fnir))
            table.add_row(f"{row.threshold:.3f}", *cells, style="bold" if is_own else None)
    console.print(table)
    console.print(
        "In brackets: the bounds at 95%. *: extrapolated. Misses look rarer where photos are of one occasion."
    )


def _show_choice(choice: CalibrationChoiceResponse, console: Console) -> None:
    done = "The threshold is now" if choice.is_applied else "The threshold would be"
    console.print(
        f"[bold]{done} {choice.threshold:.3f}[/bold] instead of {choice.former_threshold:.3f}. In a gallery of "
        f"{choice.persons:,} persons: strangers {rate_text(choice.fpir)}, members missed {rate_text(choice.fnir)}.",
        soft_wrap=True,
    )
    if not choice.is_counted:
        console.print(f"It is extrapolated. {choice.needs_persons:,} sampled persons would be enough to count it.")


def _write(report: CalibrationReportResponse, collection: str, path: Path) -> None:
    if path.suffix == ".png":
        save_png(chart_of(report), path)
    else:
        path.write_text(html(collection, report), encoding="utf-8")
