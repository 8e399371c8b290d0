"""Metrics as tables on the terminal; plain text where there is none. Computes nothing."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ..services.console import is_first_rank, print_line


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, on the first rank only; the first column is text, the others are figures.

    On a terminal it has a frame; elsewhere it is plain lines, never folded, for logs and ``grep``.
    """
    if not is_first_rank():
        return
    if not sys.stdout.isatty():
        print("\n".join(plain_table(title, columns, rows)), flush=True)
        return
    from rich.console import Console  # late: heavy
    from rich.table import Table  # late: heavy

    print_line(title, "italic")  # rich would fold it to the table's width
    table = Table()
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table without frame or colour, columns two spaces apart."""
    widths = [max(map(len, column)) for column in zip(columns, *rows)]
    return [
        title,
        *(
            "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
            for row in (columns, *rows)
        ),
    ]


def show_metrics(name: str, metrics: Mapping[str, Any]) -> None:
    """Print what one test set scored."""
    rows = figure_rows(metrics) or [["(answers written, nothing scored)", str(metrics["n"]), "", ""]]
    show_table(f"{name} ({metrics['n']} answers)", ("score", "n", "value", "95 % interval"), rows)


def figure_rows(metrics: Mapping[str, Any]) -> list[list[str]]:
    """Score, n, value and interval of everything that one test set scored, as text."""
    return [
        [f"{scorer} {group}", format_count(figure), format_value(figure), format_interval(figure.get("interval"))]
        for scorer, figures in metrics["scores"].items()
        for group, figure in figures.items()
        if isinstance(figure, Mapping)
    ]


def format_count(figure: Mapping[str, Any]) -> str:
    """``237 of 272`` where there is a count of right answers, else how many."""
    return f"{figure['correct']} of {figure['n']}" if "correct" in figure else str(figure.get("n", ""))


def format_value(figure: Mapping[str, Any]) -> str:
    """A figure with its unit, or why there is none."""
    if figure.get("value") is None:
        return figure.get("reason") or "-"
    unit = figure.get("unit", "")
    return f"{figure['value']:.1f} %" if unit == "%" else f"{figure['value']:.4f} {unit}".rstrip()


def format_interval(interval: Any) -> str:
    """``61.2 - 79.0``, or nothing where it is undefined."""
    if not interval or interval.get("low") is None:
        return ""
    digits = 1 if abs(interval["high"]) > 1 else 3
    return f"{interval['low']:.{digits}f} - {interval['high']:.{digits}f}"
