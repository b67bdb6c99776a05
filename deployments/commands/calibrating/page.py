"""The report of a calibration for people: one sentence, two curves, a table by size."""

from collections.abc import Sequence
from html import escape

from deployments.commands.calibrating.chart import COLOURS, Chart, Line, svg
from faceserve_client.models.calibrations import CalibrationReportResponse, ErrorRate, ThresholdRates

STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: right; padding: .3rem .6rem; border-bottom: 1px solid #8884 }
.lead { font-size: 1.25rem }
.marked { background: #8882; font-weight: 600 }
.muted { opacity: .7 }
"""


def sentence(report: CalibrationReportResponse) -> str:
    """Return what happens at the collection's threshold, in one sentence or two."""
    row = at_threshold(report)
    rate = row.fpir[0]
    of = 1000 if rate.high >= 0.002 else 1_000_000
    text = (
        f"At the threshold {row.threshold:.3f}, of {of:,} strangers about {rate.value * of:.3g} will be called "
        f"a member (between {rate.low * of:.3g} and {rate.high * of:.3g})."
    )
    if row.fnir is not None:
        text += f" Of 1,000 members about {row.fnir.value * 1000:.3g} will not be found."
    return text


def at_threshold(report: CalibrationReportResponse) -> ThresholdRates:
    """Return the row of the collection's own threshold."""
    return min(report.rows, key=lambda row: abs(row.threshold - report.default_threshold))


def chart_of(report: CalibrationReportResponse) -> Chart:
    """Return the curves: strangers for each size with the upper bound of the first, and members."""
    lines = []
    for number, size in enumerate(report.sizes):
        points = [(row.threshold, row.fpir[number].value) for row in report.rows]
        lines.append(Line(f"strangers, {size:,} persons", points, COLOURS[number % len(COLOURS)]))
    highs = [(row.threshold, row.fpir[0].high) for row in report.rows]
    lines.append(Line(f"strangers, {report.sizes[0]:,} persons", highs, COLOURS[0], is_dashed=True))
    missed = [(row.threshold, row.fnir.value) for row in report.rows if row.fnir is not None]
    if missed:
        lines.append(Line("members who are missed", missed, COLOURS[4]))
    return Chart(
        "Strangers called a member, and members missed",
        lines,
        report.rows[0].threshold,
        report.rows[-1].threshold,
        report.default_threshold,
    )


def html(collection: str, report: CalibrationReportResponse) -> str:
    """Return the report as one page without anything from elsewhere."""
    chart = chart_of(report)
    marked = at_threshold(report).threshold
    heads = "".join(f"<th>strangers, {size:,} persons</th>" for size in report.sizes)
    rows = "".join(_row(row, is_marked=row.threshold == marked) for row in report.rows)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Calibration of {escape(collection)}</title><style>{STYLE}</style>
<h1>What a score means in “{escape(collection)}”</h1>
<p class="lead">{escape(sentence(report))}</p>
<p>{report.persons_sampled:,} of {report.calibration.persons:,} persons were compared with everybody else, exactly.
{report.members_sampled:,} of them have two faces or more. Photos of one occasion make misses look rarer than they
are.</p>
{svg(chart)}
<table><thead><tr><th>threshold</th>{heads}<th>members missed</th></tr></thead><tbody>{rows}</tbody></table>
<p class="muted">Each rate has its bounds at 95% in brackets. * marks a rate that so few persons cannot show: it is
extrapolated from the highest scores. A larger gallery is told an upper bound. A smaller one is told the present
rate.</p></html>
"""


def _row(row: ThresholdRates, *, is_marked: bool) -> str:
    cells: Sequence[ErrorRate | None] = [*row.fpir, row.fnir]
    told = "".join(f"<td>{rate_text(cell)}</td>" for cell in cells)
    mark = ' class="marked"' if is_marked else ""
    return f"<tr{mark}><td>{row.threshold:.3f}</td>{told}</tr>"


def rate_text(rate: ErrorRate | None) -> str:
    """Return a rate with its bounds, in percent."""
    if rate is None:
        return "-"
    mark = "*" if rate.extrapolated else ""
    return f"{_percent(rate.value)}{mark} ({_percent(rate.low)} to {_percent(rate.high)})"


def _percent(share: float) -> str:
    return f"{share * 100:.2g}%" if share else "0"
