"""A chart of error rates by threshold, as lines that SVG and Pillow both can draw."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 880, 500
LEFT, RIGHT, TOP, BOTTOM = 92, 20, 110, 48  # margins, in pixels
LOWEST, HIGHEST = 1e-5, 1.0  # of rates; the scale is logarithmic
COLOURS = ("#1f6feb", "#d9730d", "#8250df", "#1a7f37", "#cf222e", "#57606a", "#bf3989", "#9a6700")

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line through (threshold, rate); dashed ones are bounds."""

    name: str
    points: Sequence[Point]
    colour: str
    is_dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over thresholds from `first` to `last`, with a mark at `marked`."""

    title: str
    lines: Sequence[Line]
    first: float
    last: float
    marked: float

    def place(self, threshold: float, rate: float) -> Point:
        """Return where a rate is drawn, in pixels from the upper left corner."""
        across = (threshold - self.first) / (self.last - self.first)
        up = (math.log10(min(max(rate, LOWEST), HIGHEST)) - math.log10(LOWEST)) / -math.log10(LOWEST)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    @property
    def thresholds(self) -> list[float]:
        """Those that the axis names."""
        return [step / 10 for step in range(math.ceil(self.first * 10), math.floor(self.last * 10) + 1)]

    def shown(self, line: Line) -> list[Point]:
        """Return where a line is drawn; rates below the axis are left out."""
        return [self.place(*point) for point in line.points if point[1] >= LOWEST]

    def legend(self) -> list[tuple[Line, str, Point]]:
        """Return each line with its name and where that stands, in two columns above the chart."""
        names = [f"{line.name}, upper bound" if line.is_dashed else line.name for line in self.lines]
        places = [(LEFT + number % 2 * (WIDTH - LEFT) / 2, 40.0 + number // 2 * 18) for number in range(len(names))]
        return list(zip(self.lines, names, places, strict=True))

    @property
    def rates(self) -> list[float]:
        """Those that the axis names."""
        return [10.0**-power for power in range(6)]


def svg(chart: Chart) -> str:
    """Return the chart as an SVG element."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{chart.title}" xmlns="http://www.w3.org/2000/svg" '
        'font-family="system-ui, sans-serif" font-size="12">'
    ]
    for rate in chart.rates:
        x, y = chart.place(chart.first, rate)
        parts.append(f'<path d="M{x:.1f} {y:.1f}H{WIDTH - RIGHT}" stroke="#8884" fill="none"/>')
        parts.append(f'<text x="{x - 8:.1f}" y="{y + 4:.1f}" text-anchor="end" fill="currentColor">{told(rate)}</text>')
    for threshold in chart.thresholds:
        x, y = chart.place(threshold, LOWEST)
        parts.append(
            f'<text x="{x:.1f}" y="{y + 20:.1f}" text-anchor="middle" fill="currentColor">{threshold:.1f}</text>'
        )
    x, _ = chart.place(chart.marked, HIGHEST)
    parts.append(f'<path d="M{x:.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="currentColor" stroke-dasharray="2 4"/>')
    parts.append(f'<text x="{x + 6:.1f}" y="{TOP - 8}" fill="currentColor">threshold {chart.marked:.3f}</text>')
    for line, name, (x, y) in chart.legend():
        parts.append(f'<text x="{x:.1f}" y="{y:.1f}" fill="{line.colour}">{name}</text>')
    for line in chart.lines:
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in chart.shown(line))
        dashes = ' stroke-dasharray="5 4"' if line.is_dashed else ""
        parts.append(f'<polyline points="{points}" fill="none" stroke="{line.colour}" stroke-width="2"{dashes}/>')
    parts.append(
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle" fill="currentColor">threshold (cosine)</text>'
        "</svg>"
    )
    return "".join(parts)


def save_png(chart: Chart, path: Path) -> None:
    """Write the chart as a PNG, at twice its size, with a legend."""
    scale = 2
    image = Image.new("RGB", (WIDTH * scale, HEIGHT * scale), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(12 * scale)

    def at(point: Point) -> Point:
        return point[0] * scale, point[1] * scale

    for rate in chart.rates:
        x, y = at(chart.place(chart.first, rate))
        draw.line([(x, y), ((WIDTH - RIGHT) * scale, y)], fill="#dddddd", width=scale)
        draw.text((x - 8 * scale, y), told(rate), fill="black", font=font, anchor="rm")
    for threshold in chart.thresholds:
        x, y = at(chart.place(threshold, LOWEST))
        draw.text((x, y + 8 * scale), f"{threshold:.1f}", fill="black", font=font, anchor="mt")
    x, _ = at(chart.place(chart.marked, HIGHEST))
    draw.line([(x, TOP * scale), (x, (HEIGHT - BOTTOM) * scale)], fill="#888888", width=scale)
    for line in chart.lines:
        points = [at(point) for point in chart.shown(line)]
        for segment in _dashes(points) if line.is_dashed else [points]:
            draw.line(segment, fill=line.colour, width=2 * scale)
    for line, name, place in chart.legend():
        draw.text(at(place), name, fill=line.colour, font=font, anchor="ls")
    draw.text((LEFT * scale, 12 * scale), f"{chart.title}, threshold {chart.marked:.3f}", fill="black", font=font)
    image.save(path, "PNG")


def _dashes(points: Sequence[Point]) -> list[list[Point]]:
    """Return the first half of each of the parts between `points`."""
    return [[start, ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)] for start, end in itertools.pairwise(points)]


def told(rate: float) -> str:
    """Return a share of searches as a person reads it."""
    return f"{rate:.0%}" if rate >= 0.01 else f"1 in {round(1 / rate):,}"
