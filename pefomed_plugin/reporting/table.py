"""A table as one typed value, and how each of its places is written; ``rendering`` shows it.

Whoever makes a table says what it holds; how a figure, an interval or a missing value is written is decided here, once.
Computes nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

from ..errors import named
from ..scoring.intervals import Interval

TEXT, COUNT, FIGURE = "text", "count", "figure"
"""Kinds of columns: left-aligned texts; whole numbers; figures with digits. The last two are right-aligned."""
HIGHER, LOWER = "higher", "lower"
GOOD, QUIET, WARNING, BAD = "good", "quiet", "warning", "bad"
"""Tones of a row, for renderers that have colours. What matters must be a word as well."""


class Code(str):
    """A text that Markdown sets as code: a file, a setting, a digest."""


@dataclass(frozen=True)
class Cell:
    """A figure with what belongs to it; or, without a value, why there is none, or an interval alone."""

    value: float | None = None
    """None: there is none, and ``reason`` may say why; or this place is for the interval."""
    unit: str = ""
    """``%``, ``GiB``; nothing where the column has it, or there is none."""
    sd: float | None = None
    """Standard deviation over runs or raters."""
    interval: Interval | None = None
    """95 %."""
    of: int | None = None
    """``value`` counts some of these: 237 of 272."""
    paper: float | None = None
    """The paper's figure."""
    paper_sd: float | None = None
    """Its standard deviation."""
    digits: int | None = None
    """Behind the decimal point; None: those of the column, else 1 with ``%`` and 3 without unit."""
    paper_digits: int | None = None
    """Of the paper's figure; None: as ours."""
    signed: bool = False
    """Whether a plus is written: a difference."""
    least: float | None = None
    """Smaller values are shown as smaller than this."""
    reason: str = ""
    """Why there is no value."""


Content = Union[str, int, float, Cell, None]
"""What one place of a table holds; None is an empty place."""


def figure_cell(figure: Mapping[str, Any], *, digits: int | None = None, signed: bool = False) -> Cell:
    """A figure as our JSON holds it (``value``, ``interval``, ``reason``): without a value, why there is none."""
    if figure["value"] is None:
        return Cell(reason=figure.get("reason") or "")
    ends = figure.get("interval")
    return Cell(figure["value"], interval=Interval(**ends) if ends else None, digits=digits, signed=signed)


def without_interval(figures: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """Notes for a table: which of these figures, by name, have a value and no interval, and why."""
    names: dict[str, list[str]] = {}
    for name, figure in figures:
        ends = figure.get("interval")
        if figure["value"] is not None and ends and ends["low"] is None:
            names.setdefault(ends.get("reason") or "undefined", []).append(name)
    return [f"No interval: {named(found)} ({reason})." for reason, found in names.items()]


@dataclass(frozen=True)
class Column:
    """One column: what it is called, and where its content comes from."""

    name: str
    """In the header; may be empty in the first column."""
    content: Callable[[Any], Content]
    """The place of a row, from the item that the row is about."""
    kind: str = TEXT
    """``TEXT``, ``COUNT`` or ``FIGURE``."""
    unit: str = ""
    """Of every figure in it; stands in the header."""
    digits: int | None = None
    """Of every figure in it that has no own; see ``Cell.digits``."""
    better: str | None = None
    """``HIGHER`` or ``LOWER``; None where neither is better."""
    help: str = ""
    """What it is, in a sentence, for those who hover or read JSON."""

    @property
    def header(self) -> str:
        """Name with unit, and that lower is better where it is: ``open %``; ``size, MB``."""
        unit = " %" if self.unit == "%" else ", " + self.unit if self.unit else ""
        return on_one_line(self.name + unit + (" (lower is better)" if self.better == LOWER else ""))


@dataclass(frozen=True)
class Table:
    """Rows of items under columns."""

    title: str
    """May be empty where the text around it says what it is."""
    columns: Sequence[Column]
    """From left to right."""
    items: Sequence[Any]
    """What the rows are about, a row each."""
    notes: Sequence[str] = ()
    """Lines below it."""
    tone: Callable[[Any], str] | None = None
    """Tone of the row of an item: one of ``GOOD``, ``QUIET``, ``WARNING``, ``BAD``, or nothing."""

    def rows(self) -> list[list[Content]]:
        """What every place holds."""
        return [[column.content(item) for column in self.columns] for item in self.items]

    def texts(self) -> list[list[str]]:
        """What every place shows, on one line each."""
        return [[text_of(place, column) for place, column in zip(row, self.columns)] for row in self.rows()]


def text_of(content: Content, column: Column | None = None) -> str:
    """How one place is written, whatever shows it: ``75.6 ± 1.2 (77.4 ± 0.5)``, ``237 of 272``, ``-0.3 to 0.1``."""
    if content is None:
        return ""
    if isinstance(content, str):
        return on_one_line(content)
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, int):
        return f"{content:,}"
    return _figure(content if isinstance(content, Cell) else Cell(content), column)


def _figure(cell: Cell, column: Column | None) -> str:
    digits = _digits(cell.digits, column, cell.unit)
    ends = "" if cell.interval is None else _ends(cell.interval, digits)
    if cell.value is None and cell.interval is not None:
        return ends or on_one_line(cell.interval.reason or "")
    if cell.value is None:
        text = on_one_line(cell.reason) or "-"
    elif cell.of is not None:
        text = f"{cell.value:,.0f} of {cell.of:,}"
    elif cell.least is not None and cell.value < cell.least:
        text = f"< {cell.least:g}"
    else:
        text = f"{cell.value:{'+' if cell.signed else ''},.{digits}f}" + _spread(cell.sd, digits)
        text += " " + cell.unit if cell.unit else ""
    if cell.paper is not None:
        paper_digits = digits if cell.paper_digits is None else cell.paper_digits
        text += f" ({cell.paper:,.{paper_digits}f}{_spread(cell.paper_sd, paper_digits)})"
    return f"{text} [{ends}]" if ends else text


def _digits(own: int | None, column: Column | None, unit: str) -> int:
    if own is not None:
        return own
    if column is not None and column.digits is not None:
        return column.digits
    return 1 if (unit or (column.unit if column else "")) == "%" else 3


def _spread(sd: float | None, digits: int) -> str:
    return "" if sd is None else f" \u00b1 {sd:,.{digits}f}"


def _ends(interval: Interval, digits: int) -> str:
    if interval.low is None or interval.high is None:
        return ""
    between = " to " if interval.low < 0 else " - "  # a minus beside a minus sign is hard to read
    return f"{interval.low:,.{digits}f}{between}{interval.high:,.{digits}f}"


def on_one_line(text: str) -> str:
    """White space is a space; a control character, which could move a terminal's cursor, is shown as one."""
    text = "".join(" " if letter.isspace() else letter for letter in text)
    return "".join("\ufffd" if unicodedata.category(letter) == "Cc" else letter for letter in text)
