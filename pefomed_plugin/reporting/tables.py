"""Metrics as tables on the terminal; plain text where there is none. Computes nothing."""

from typing import Any, List, Mapping, Sequence

from ..services.console import is_first_rank


def show_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table, on the first rank only; the first column is text, the others are figures."""
    if not is_first_rank():
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def show_metrics(name: str, metrics: Mapping[str, Any]) -> None:
    """Print what one test set scored."""
    rows: List[List[str]] = []
    for scorer, figures in metrics["scores"].items():
        for group, each in figures.items():
            if isinstance(each, Mapping):
                rows.append(["{} {}".format(scorer, group), format_count(each), format_value(each),
                             format_interval(each.get("interval"))])
    if not rows:
        rows.append(["(answers written, nothing scored)", str(metrics["n"]), "", ""])
    show_table("{} ({} answers)".format(name, metrics["n"]), ("score", "n", "value", "95 % interval"), rows)


def format_count(figure: Mapping[str, Any]) -> str:
    """``237 of 272`` where there is a count of right answers, else how many."""
    return "{} of {}".format(figure["correct"], figure["n"]) if "correct" in figure else str(figure.get("n", ""))


def format_value(figure: Mapping[str, Any]) -> str:
    """A figure with its unit, or why there is none."""
    if figure.get("value") is None:
        return figure.get("reason") or "-"
    return "{:.1f} %".format(figure["value"]) if figure.get("unit") == "%" else "{:.4f}".format(figure["value"])


def format_interval(interval: Any) -> str:
    """``61.2 - 79.0``, or nothing where it is undefined."""
    if not interval or interval.get("low") is None:
        return ""
    digits = 1 if abs(interval["high"]) > 1 else 3
    return "{:.{d}f} - {:.{d}f}".format(interval["low"], interval["high"], d=digits)
