"""Curves of several runs as inline SVG, in the colours of ``assets/look.css``: no script, no file, no network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

WIDTH, HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 34
_MOST_POINTS = 400
"""Of one curve; more are put together, a mean of each stretch."""
SERIES = 6
"""Colours that the look has; further runs begin again, with other dashes."""
_DASHES = ("", "6 4", "2 3", "10 3 2 3", "1 6")
MOST_LINES = SERIES * len(_DASHES)
"""Runs that are told apart; of more some look alike."""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Line:
    """One run's curve, and what stands on it as dots."""

    name: str
    points: Points
    dots: Points = ()
    dots_name: str = ""


def draw(lines: Sequence[Line], title: str) -> str:
    """An SVG of all lines over the iterations; with words in place of it where there is nothing to draw.

    A line has the colour and dashes of its place among all, also where others have nothing to draw. A vertical axis
    begins at 0 where all values are above it and that costs no more than half of the room.
    """
    placed = [
        (place, replace(line, points=thinned(line.points)))
        for place, line in enumerate(lines)
        if line.points or line.dots
    ]
    drawn = [line for _, line in placed]
    if not drawn:
        return f'<p class="empty">{escape(title)}: nothing logged yet.</p>'
    values = [y for line in drawn for points in (line.points, line.dots) for _, y in points]
    ends = [x for line in drawn for points in (line.points, line.dots) for x, _ in points]
    low, high = _range(values)
    first, last = min(0.0, *ends), max(ends) or 1.0

    def x(value: float) -> float:
        return _LEFT + (value - first) / (last - first) * (WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return HEIGHT - _BOTTOM - (value - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)

    told = escape(_in_words(drawn, title))
    parts = [f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">']
    for tick in ticks(low, high, 4):
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>')
        parts.append(_text(_LEFT - 6, y(tick) + 4, "end", number(tick)))
    parts += [
        _text(x(tick), HEIGHT - _BOTTOM + 16, "middle", number(tick), "tick across") for tick in ticks(first, last, 6)
    ]
    parts.append(_text(WIDTH - _RIGHT, HEIGHT - 4, "end", "iteration", "tick axis"))
    for place, line in placed:
        style = f"series s{place % SERIES}"
        path = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in line.points)
        if path:
            named = f"<title>{escape(line.name)}</title>"
            parts.append(f'<polyline class="{style}"{_dashes(place)} points="{path}">{named}</polyline>')
        for a, b in line.dots:
            told = escape(f"{line.name}, {line.dots_name} after iteration {a:,.0f}: {number(b)}")
            parts.append(
                f'<circle class="{style}" cx="{x(a):.1f}" cy="{y(b):.1f}" r="4"><title>{told}</title></circle>'
            )
    return "".join([*parts, "</svg>"])


def key_of(place: int) -> str:
    """A piece of the line that stands at this place, to stand beside the run's name."""
    line = f'<line x1="0" x2="28" y1="2" y2="2"{_dashes(place)}/>'
    return f'<svg class="key s{place % SERIES}" viewBox="0 0 28 4" aria-hidden="true">{line}</svg>'


def _dashes(place: int) -> str:
    dashes = _DASHES[place // SERIES % len(_DASHES)]
    return f' stroke-dasharray="{dashes}"' if dashes else ""


def _text(x: float, y: float, anchor: str, text: str, kind: str = "tick") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def thinned(points: Points) -> list[tuple[float, float]]:
    """At most ``_MOST_POINTS``: the mean of each stretch, at its middle; the ends of the curve stay as they are."""
    if len(points) <= _MOST_POINTS:
        return list(points)
    between = points[1:-1]
    size = math.ceil(len(between) / (_MOST_POINTS - 2))
    stretches = [between[start : start + size] for start in range(0, len(between), size)]
    means = [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in stretches]
    return [points[0], *means, points[-1]]


def ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers between two, about so many."""
    rough = (high - low) / max(1, wanted)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough - 1e-12 * size)
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A figure at an axis: as few characters as tell it."""
    if value and abs(value) < 1e-3:
        digits, exponent = f"{value:.2e}".split("e")
        return f"{float(digits):g}e{int(exponent)}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if low >= 0 and low <= high / 2:
        low = 0.0
    if high == low:
        high, low = high + (abs(high) or 1) / 2, low - (abs(low) or 1) / 2
    room = (high - low) * 0.05
    return (low if low == 0.0 else low - room), high + room


def _in_words(lines: Sequence[Line], title: str) -> str:
    """What the picture shows, for those who do not see it."""
    said = [
        f"{line.name} from {number(line.points[0][1])} to {number(line.points[-1][1])}" for line in lines if line.points
    ]
    return f"{title} over iterations: {'; '.join(said) or 'single points'}"
