"""Breakdowns as figures on paper (PNG, SVG, PDF), in the manner of the paper's figures 3 to 6. Needs matplotlib.

Computes nothing; the HTML page draws its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError, why
from ..requirements import Need, require
from .breakdowns import Breakdown

MATPLOTLIB = Need("matplotlib", "plots", "matplotlib")
FORMATS = (".png", ".svg", ".pdf")
_INK, _BAR, _FAINT = "#1f2933", "#3d7ea6", "#d8dee6"


def plot_breakdowns(breakdowns: Sequence[Breakdown], path: Path) -> None:
    """One panel per axis: one bar per group with its 95 % interval, n beside the group's name.

    Raises:
        ConfigError: matplotlib is not installed, or the file's ending is none of ``FORMATS``.
        DataError: nothing to plot, or the file cannot be written.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"cannot plot to {path}; end its name with {', '.join(FORMATS)}")
    if not breakdowns:
        raise DataError("nothing to plot; choose an axis with --by")
    require((MATPLOTLIB,))
    from matplotlib.figure import Figure  # late: optional

    rows = [max(len(breakdown.cells), 1) for breakdown in breakdowns]
    figure = Figure(figsize=(7.2, sum(0.36 * count + 1.0 for count in rows)), layout="constrained")
    panels = figure.subplots(len(breakdowns), 1, squeeze=False, gridspec_kw={"height_ratios": rows})
    for panel, breakdown in zip(panels[:, 0], breakdowns):
        _draw(panel, breakdown)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160, metadata={"Date": None} if Path(path).suffix.lower() == ".svg" else None)
    except OSError as error:
        raise DataError(f"cannot write {path}: {why(error)}") from error


def _draw(panel: Any, breakdown: Breakdown) -> None:
    cells = [cell for cell in breakdown.cells if cell.value is not None]
    values = [float(cell.value or 0.0) for cell in cells]
    panel.barh(
        range(len(cells)),
        values,
        height=0.62,
        color=_BAR,
        xerr=_errors(breakdown),
        error_kw={"ecolor": _INK, "elinewidth": 1, "capsize": 2.5},
    )
    panel.set_yticks(range(len(cells)), [f"{cell.label} (n = {cell.n:,})" for cell in cells])
    panel.invert_yaxis()
    panel.set_title("by " + breakdown.axis_title, loc="left", color=_INK, fontsize=11)
    panel.set_xlabel(_axis_label(breakdown), color=_INK)
    panel.set_xlim(breakdown.metric.shown_range[0], _axis_end(breakdown))
    panel.grid(axis="x", color=_FAINT, linewidth=0.8)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(length=0, colors=_INK)


def _axis_label(breakdown: Breakdown) -> str:
    """Scorer, unit and range, and that lower is better where it is."""
    metric, (low, high) = breakdown.metric, breakdown.metric.shown_range
    unit = metric.unit or f"{low:g} to {high:g}"
    if metric.unit not in ("", "%"):
        unit += f" ({low:g} to {high:g})"
    return f"{breakdown.scorer}, {unit}{'' if metric.higher_is_better else ', lower is better'}"


def _axis_end(breakdown: Breakdown) -> float:
    """The end of the range; just behind the longest bar where that fills less than a quarter of the range."""
    longest = max((max(cell.value or 0.0, cell.interval.high or 0.0) for cell in breakdown.cells), default=0.0)
    low, high = breakdown.metric.shown_range
    filled = (longest - low) / (high - low)
    if breakdown.metric.unit == "%" or filled >= 0.25 or filled <= 0:
        return high
    return low + 1.1 * (longest - low)


def _errors(breakdown: Breakdown) -> tuple[list[float], list[float]]:
    """Distances from each bar's end to the ends of its interval; 0 where there is none."""
    below, above = [], []
    for cell in breakdown.cells:
        if cell.value is not None:
            low, high = cell.interval.low, cell.interval.high
            below.append(max(cell.value - low, 0.0) if low is not None else 0.0)
            above.append(max(high - cell.value, 0.0) if high is not None else 0.0)
    return below, above
