"""A comparison on the terminal and as Markdown. Computes nothing."""

from typing import List, Optional, Sequence

from ..scoring.paired import METHOD
from .compare import Figure, Row, Table
from .paper_figures import Stages
from .tables import show_table

_PAPER_TABLES = {("vqa_rad", "overall"): "Table 9", ("slake", "overall"): "Table 8", ("path_vqa", "overall"): "Table 8",
                 ("iu_xray", "cider"): "Table 10", ("iu_xray", "wasm"): "Table 11"}
"""Data set and last column -> the table of the paper in this layout."""


def show_comparison(tables: Sequence[Table]) -> None:
    """Print every table, and what its columns and tests are."""
    for each in tables:
        show_table(title_of(each), header_of(each), [cells_of(row, each) for row in each.rows])
        _show_deviations(each)
    print(footnote(tables))


def to_markdown(tables: Sequence[Table]) -> str:
    """The comparison as a Markdown document."""
    parts = ["# Comparison of runs", ""]
    for each in tables:
        header = [*header_of(each), "deviations from the paper"]
        parts += ["## " + _escaped(title_of(each)), "", _line(header), _line(["---"] * len(header))]
        parts += [_line([*cells_of(row, each), "; ".join(row.deviations) or "none known"]) for row in each.rows]
        parts.append("")
    return "\n".join([*parts, footnote(tables), ""])


def title_of(table: Table) -> str:
    """Data set, scorer, and the paper's table of this layout where it has these figures."""
    has_figures = any(figure.paper for row in table.rows for figure in row.figures.values())
    paper = _PAPER_TABLES.get((table.dataset.rsplit("-", 1)[0], table.tested)) if has_figures else None
    return "{}, {}{}".format(table.dataset, table.scorer, ", as in the paper's {}".format(paper) if paper else "")


def header_of(table: Table) -> List[str]:
    """Names of the columns."""
    unit = " %" if table.unit == "%" else ""
    tests = ["against " + table.reference, "p"] if len(table.rows) > 1 else []
    return ["run", "stages", *(each + unit for each in table.columns), "95 % interval", *tests]


def cells_of(row: Row, table: Table) -> List[str]:
    """One row; the paper's figure stands in brackets behind ours."""
    interval = row.figures[table.tested].interval
    digits = 1 if table.unit == "%" else 3
    difference = row.difference
    cells = [row.run, format_stages(row.stages),
             *(format_figure(row.figures[each], table, each) for each in table.columns),
             _range(interval.low, interval.high, digits)]
    if len(table.rows) == 1:
        return cells
    return [*cells,
            "" if difference is None else "{:+.{d}f} [{}]".format(
                difference.value, _range(difference.interval.low, difference.interval.high, digits) or "-", d=digits),
            "" if difference is None else format_p(difference.p_value)]


def format_figure(figure: Figure, table: Table, column: str) -> str:
    """``75.6 (77.4)``: ours, and the paper's where there is one."""
    digits = 1 if table.unit == "%" else 2 if column == "wasm" else 3
    if column.startswith("level "):
        digits = 0 if float(figure.value or 0).is_integer() else 1
    own = "-" if figure.value is None else "{:.{d}f}".format(figure.value, d=digits)
    return own if figure.paper is None else "{} ({:.{d}f})".format(own, figure.paper.value, d=digits)


def format_p(p_value: float) -> str:
    """Three digits, or that it is smaller."""
    return "< 0.001" if p_value < 0.001 else "{:.3f}".format(p_value)


def footnote(tables: Sequence[Table]) -> str:
    """What brackets, intervals and p are."""
    return ("In round brackets: the paper's figure for these stages. Interval and test are of the column {}.\n"
            "Tests against the first run: {} (study, else image). Not corrected for their number."
            .format(" or ".join(dict.fromkeys(each.tested for each in tables)), METHOD))


def _show_deviations(table: Table) -> None:
    for row in table.rows:
        print("  {}: {}".format(row.run, "; ".join(row.deviations) or "no deviation from the paper known"))
    print()


def format_stages(stages: Optional[Stages]) -> str:
    """``none``, ``1``, ``2``, ``1 + 2``, or ``?`` where neither label nor configuration tells."""
    if stages is None:
        return "?"
    return " + ".join(name for name, done in zip("12", stages) if done) or "none"


def _range(low: Optional[float], high: Optional[float], digits: int) -> str:
    return "" if low is None or high is None else "{:.{d}f}, {:.{d}f}".format(low, high, d=digits)


def _line(cells: Sequence[str]) -> str:
    return "| {} |".format(" | ".join(_escaped(each) for each in cells))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
