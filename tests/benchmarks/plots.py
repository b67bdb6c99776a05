"""Draws small SVG charts: bars for what is compared, lines for what grows."""

from collections.abc import Mapping, Sequence
from html import escape

WIDTH = 720
BAR_PX, LABEL_PX = 18, 250
COLOURS = ("#4063d8", "#d8572a", "#389826", "#9558b2", "#8a8a8a", "#c2a83e")
STYLE = 'font-family="sans-serif" font-size="12"'


def bars(title: str, values: Mapping[str, float], unit: str) -> str:
    """Return horizontal bars, one for each of `values`, in their order."""
    largest = max(values.values())
    room = WIDTH - LABEL_PX - 90
    parts = [f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>']
    for number, (label, value) in enumerate(values.items()):
        y = 36 + number * (BAR_PX + 6)
        width = room * value / largest
        parts += [
            f'<text x="{LABEL_PX - 8}" y="{y + 13}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{LABEL_PX}" y="{y}" width="{width:.1f}" height="{BAR_PX}" fill="{COLOURS[0]}"/>',
            f'<text x="{LABEL_PX + width + 6:.1f}" y="{y + 13}">{value:.3g} {escape(unit)}</text>',
        ]
    return _svg(parts, 44 + len(values) * (BAR_PX + 6))


def lines(title: str, ticks: Sequence[str], series: Mapping[str, Sequence[float]], unit: str) -> str:
    """Return one line for each of `series`, over evenly spaced `ticks`, from zero."""
    height, left, top, right = 300, 60, 36, 190
    bottom, largest = height - 30, max(value for values in series.values() for value in values)
    step = (WIDTH - left - right) / max(1, len(ticks) - 1)
    parts = [f'<text x="8" y="20" font-weight="bold">{escape(title)}</text>']
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - top)
        parts += [
            f'<line x1="{left}" x2="{WIDTH - right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
            f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{largest * share:.3g}</text>',
        ]
    for number, tick in enumerate(ticks):
        x = left + number * step
        parts.append(f'<text x="{x:.1f}" y="{height - 10}" text-anchor="middle">{escape(tick)}</text>')
    for number, (label, values) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(
            f"{left + index * step:.1f},{bottom - value / largest * (bottom - top):.1f}"
            for index, value in enumerate(values)
        )
        y = top + 12 + number * 18
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<rect x="{WIDTH - right + 14}" y="{y - 9}" width="10" height="10" fill="{colour}"/>',
            f'<text x="{WIDTH - right + 30}" y="{y}">{escape(label)}, {escape(unit)}</text>',
        ]
    return _svg(parts, height)


def _svg(parts: Sequence[str], height: int) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" {STYLE}>\n'
        f'<rect width="100%" height="100%" fill="white"/>\n{body}\n</svg>\n'
    )
