"""Small line charts below one another, as SVG. Nothing to install, and a browser shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _GAP = 900, 150, 70, 160, 46
COLORS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df")


@dataclass(frozen=True, slots=True)
class Line:
    """``points``: (minutes, value), ascending. ``dashed``: a fit, not a measurement."""

    name: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    title: str
    unit: str
    lines: Sequence[Line]
    #: Begin the axis at 0; else close to the smallest value.
    from_zero: bool = True


def svg(title: str, charts: Sequence[Chart]) -> str:
    """All charts over one axis of minutes."""
    minutes = max((x for c in charts for line in c.lines for x, _ in line.points), default=1.0)
    height = 50 + len(charts) * (_HEIGHT + _GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"'
        f' width="{_WIDTH}" height="{height}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="bold">{escape(title)}</text>',
    ]
    for number, chart in enumerate(charts):
        parts += _chart(chart, 66 + number * (_HEIGHT + _GAP), minutes)
    parts.append(
        f'<text x="{_LEFT}" y="{height - 8}" fill="#57606a">minutes since people began</text>'
    )
    return "\n".join([*parts, "</svg>"]) + "\n"


def _chart(chart: Chart, top: float, minutes: float) -> list[str]:
    values = [y for line in chart.lines for _, y in line.points] or [0.0]
    low, high = (0.0 if chart.from_zero else min(values)), max(values)
    if not chart.from_zero:
        low -= (high - low) * 0.1
    high = max(high + (high - low) * 0.05, low + 1e-9 if high > low else low + 1.0)
    width = _WIDTH - _LEFT - _RIGHT

    def place(x: float, y: float) -> str:
        across = _LEFT + x / max(minutes, 1e-9) * width
        return f"{across:.1f},{top + _HEIGHT - (y - low) / (high - low) * _HEIGHT:.1f}"

    parts = [
        f'<text x="{_LEFT}" y="{top - 6:.0f}" font-weight="bold">'
        f"{escape(chart.title)} ({escape(chart.unit)})</text>",
        f'<rect x="{_LEFT}" y="{top:.0f}" width="{width}" height="{_HEIGHT}" fill="none"'
        ' stroke="#d0d7de"/>',
    ]
    for share in (0.0, 0.5, 1.0):
        at = top + _HEIGHT - share * _HEIGHT
        parts.append(
            f'<text x="{_LEFT - 6}" y="{at + 4:.0f}" text-anchor="end" fill="#57606a">'
            f"{_short(low + share * (high - low))}</text>"
        )
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<text x="{_LEFT + share * width:.0f}" y="{top + _HEIGHT + 14:.0f}"'
            f' text-anchor="middle" fill="#57606a">{_short(share * minutes)}</text>'
        )
    for number, line in enumerate(chart.lines):
        color = COLORS[number % len(COLORS)]
        dash = ' stroke-dasharray="6 4"' if line.dashed else ""
        path = " ".join(place(x, y) for x, y in line.points)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.3"{dash}/>'
        )
        parts.append(
            f'<text x="{_WIDTH - _RIGHT + 10}" y="{top + 14 + 16 * number:.0f}" fill="{color}">'
            f"{escape(line.name)}</text>"
        )
    return parts


def _short(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
