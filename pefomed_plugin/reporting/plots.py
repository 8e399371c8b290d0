"""Breakdowns as figures on paper (PNG, SVG, PDF), in the manner of the paper's figures 3 to 6. Needs matplotlib.

One scorer: bars with intervals, a panel an axis. Several side by side, as in the paper: bars with the SD over runs or
raters, where the scorer has several.

Computes nothing; the HTML page draws its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from ..atomic import replacing
from ..errors import ConfigError, DataError, why
from ..requirements import Need, require
from .breakdowns import Breakdown
from .look import colour, series

MATPLOTLIB = Need("matplotlib", "plots", "matplotlib")
FORMATS = (".png", ".svg", ".pdf")
_INK, _FAINT, _FLOOR = map(colour, ("ink", "line", "wrong"))
_SERIES = series()
_BAR = _SERIES[0]
_PAPER = "white"
"""Plots are printed: their ground is white, in the dark too."""
_HATCHES = ("", "///", "...", "xxx", "\\\\", "++")
"""So that bars can be told apart without colours."""
_SHORT_ROW = 6
"""Groups whose labels mostly stand beside each other without being slanted."""
_LETTERS_AN_INCH = 12
"""Of the labels' size, about."""


def plot_breakdowns(breakdowns: Sequence[Breakdown], path: Path) -> None:
    """One panel per axis: one bar per group with its 95 % interval, n beside the group's name.

    Raises:
        ConfigError: matplotlib is not installed, or the file's ending is none of ``FORMATS``.
        DataError: nothing to plot, or the file cannot be written.
    """
    check_format(path)
    if not breakdowns:
        raise DataError("nothing to plot; choose an axis with --by")
    require((MATPLOTLIB,))
    from matplotlib.figure import Figure  # late: optional

    rows = [max(len(breakdown.cells), 1) for breakdown in breakdowns]
    figure = Figure(figsize=(7.2, sum(0.36 * count + 1.0 for count in rows)), layout="constrained")
    panels = figure.subplots(len(breakdowns), 1, squeeze=False, gridspec_kw={"height_ratios": rows})
    for panel, breakdown in zip(panels[:, 0], breakdowns):
        _draw(panel, breakdown)
    save_figure(figure, [path])


def check_format(path: Path) -> None:
    """Raises ConfigError where the file's ending is none of ``FORMATS``."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ConfigError(f"cannot plot to {path}; end its name with {', '.join(FORMATS)}")


def plot_side_by_side(
    panels: Sequence[tuple[str, Sequence[Breakdown]]], paths: Sequence[Path], notes: Sequence[str] = ()
) -> None:
    """Scorers side by side, a panel a title: a bar per group and scorer, with its SD where it was measured repeatedly.

    Args:
        panels: title and breakdowns of one axis and one unit, each of another scorer; the same scorers in each panel.
        paths: files to write, each by its ending.
        notes: lines below: what is missing, that data are generated.

    Raises:
        ConfigError: matplotlib is not installed, or a file's ending is none of ``FORMATS``.
        DataError: nothing to plot, scores of different units in one panel, or a file cannot be written.
    """
    for path in paths:
        check_format(path)
    if not panels or not all(breakdowns for _, breakdowns in panels):
        raise DataError("nothing to plot; choose an axis with --by and scorers with --scorers")
    for title, breakdowns in panels:
        units = {(found.metric.unit, found.metric.shown_range) for found in breakdowns}
        if len(units) > 1:
            named = [f"{found.scorer}: {_axis_label(found)}" for found in breakdowns]
            raise DataError(f"{title}: scores of different units do not stand side by side", named)
    require((MATPLOTLIB,))
    from matplotlib.figure import Figure  # late: optional

    bars = max(len(breakdowns[0].cells) * (len(breakdowns) + 1) for _, breakdowns in panels)
    width = min(max(7.2, 0.26 * bars + 1.4), 16.0)
    heights = [4.3 + (len(breakdowns[0].cells) > _SHORT_ROW) for _, breakdowns in panels]  # slanted labels take room
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    drawn = figure.subplots(len(panels), 1, squeeze=False)
    for panel, (title, breakdowns) in zip(drawn[:, 0], panels):
        _draw_together(panel, title, breakdowns, width)
    handles, labels = drawn[0, 0].get_legend_handles_labels()
    columns = max(1, min(len(labels), int(_LETTERS_AN_INCH * width / (max(map(len, labels)) + 6))))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False, fontsize=9)
    if notes:
        lines = [line for note in notes for line in wrap(note, int(_LETTERS_AN_INCH * width))]
        figure.supxlabel("\n".join(lines), x=0.01, ha="left", fontsize=8, color=_INK)
    save_figure(figure, paths)


def save_figure(figure: Any, paths: Sequence[Path]) -> None:
    """Write a figure in each format, the same bytes for the same figure. Raises DataError where that cannot be."""
    from matplotlib import rc_context  # late: optional

    for path in map(Path, paths):
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with rc_context({"svg.hashsalt": "pefomed"}), replacing(path) as file:
                figure.savefig(file, format=path.suffix[1:].lower(), dpi=160, metadata=metadata)
        except OSError as error:
            raise DataError(f"cannot write {path}: {why(error)}") from error


def _draw_together(panel: Any, title: str, breakdowns: Sequence[Breakdown], width_inches: float) -> None:
    groups = [cell.label for cell in breakdowns[0].cells]
    width = 0.8 / len(breakdowns)
    for number, found in enumerate(breakdowns):
        places = [place + (number - (len(breakdowns) - 1) / 2) * width for place in range(len(groups))]
        measured = [(place, cell) for place, cell in zip(places, found.cells) if cell.value is not None]
        panel.bar(
            [place for place, _ in measured],
            [cell.value for _, cell in measured],
            width=0.92 * width,
            color=_SERIES[number % len(_SERIES)],
            hatch=_HATCHES[number % len(_HATCHES)],
            edgecolor=_PAPER,
            linewidth=0.5,
            label=_series_label(found),
        )
        floors = [
            (place, found.floor[cell.group]) for place, cell in measured if found.floor.get(cell.group) is not None
        ]
        if floors:
            ends = [[place + side * 0.46 * width for place, _ in floors] for side in (-1, 1)]
            label = f"floor of {found.scorer}: {found.floor_name}"
            panel.hlines([value for _, value in floors], *ends, colors=_FLOOR, linewidth=2, label=label)
        spread = [(place, cell) for place, cell in measured if cell.sd is not None]
        panel.errorbar(
            [place for place, _ in spread],
            [cell.value for _, cell in spread],
            yerr=[cell.sd for _, cell in spread],
            fmt="none",
            ecolor=_INK,
            elinewidth=1,
            capsize=2.5,
        )
    counts = [f"n = {_count(breakdowns, place)}" for place in range(len(groups))]
    lines = [[*label.replace(" (", "\n(").split("\n"), count] for label, count in zip(groups, counts)]
    is_tight = max(len(line) for parts in lines for line in parts) > _LETTERS_AN_INCH * width_inches / len(groups) - 2
    slanted = {"rotation": 40, "ha": "right", "rotation_mode": "anchor"} if is_tight else {}
    between = " " if is_tight else "\n"
    panel.set_xticks(range(len(groups)), [between.join(parts) for parts in lines], fontsize=9, **slanted)
    panel.set_title(title, loc="left", color=_INK, fontsize=11)
    metric, (low, high) = breakdowns[0].metric, breakdowns[0].metric.shown_range
    panel.set_ylabel(metric.unit or f"{low:g} to {high:g}", color=_INK)
    panel.set_ylim(low, high * 1.04 if metric.unit == "%" else high)
    panel.grid(axis="y", color=_FAINT, linewidth=0.8)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.tick_params(length=0, colors=_INK)


def _count(breakdowns: Sequence[Breakdown], place: int) -> str:
    """Scored answers of a group: one number where the scorers agree in it, else the fewest and the most."""
    counts = [found.cells[place].n for found in breakdowns]
    return f"{max(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _series_label(found: Breakdown) -> str:
    runs = max((cell.runs for cell in found.cells), default=1)
    return f"{found.scorer} (\u00b1 SD of {runs})" if runs > 1 else found.scorer


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
    _draw_floor(panel, breakdown, [(place, cell.group) for place, cell in enumerate(cells)])
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


def _draw_floor(panel: Any, breakdown: Breakdown, places: Sequence[tuple[int, str]]) -> None:
    """A tick across each bar at what is reached without looking."""
    ticks = [(place, breakdown.floor[group]) for place, group in places if breakdown.floor.get(group) is not None]
    if ticks:
        panel.vlines(
            [value for _, value in ticks],
            [place - 0.4 for place, _ in ticks],
            [place + 0.4 for place, _ in ticks],
            colors=_FLOOR,
            linewidth=2,
            label=f"floor: {breakdown.floor_name}",
        )
        panel.legend(loc="lower right", frameon=False, fontsize=8)


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
