"""A comparison on the terminal and as Markdown. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ...scoring.paired import METHOD
from ...scoring.spec import ScoredColumn
from ..agreement import brief_agreement
from ..tables import show_table
from .compare import ComparedFigure, ComparedRun, Comparison
from .evaluations import EvaluationRow, Evaluations
from .paper_figures import Stages


def show_comparison(tables: Sequence[Comparison], evaluations: Sequence[Evaluations] = ()) -> None:
    """Print every table, and what its columns and tests are."""
    deviations: dict[str, str] = {}
    for table in tables:
        show_table(title_of(table), header_of(table), [cells_of(row, table) for row in table.rows])
        new = {row.run: "; ".join(row.deviations) or "no deviation from the paper known" for row in table.rows}
        for run in (run for run in new if new[run] != deviations.get(run)):
            print(f"  {run}: {new[run]}")
        deviations.update(new)
        print()
    for found in evaluations:
        if found.rows:
            show_table(
                evaluations_title(found),
                evaluations_header(found),
                [evaluation_cells(row, found) for row in found.rows],
            )
        if found.agreement:
            show_table(f"{found.run}, {found.dataset}: agreement", *brief_agreement(found.agreement))
    print(footnote(tables))
    for line in scope_lines(tables, evaluations):
        print(line)


def to_markdown(tables: Sequence[Comparison], evaluations: Sequence[Evaluations] = ()) -> str:
    """The comparison as a Markdown document."""
    parts = ["# Comparison of runs", ""]
    for table in tables:
        parts += _markdown_table(
            title_of(table),
            [*header_of(table), "deviations from the paper"],
            [[*cells_of(row, table), "; ".join(row.deviations) or "none known"] for row in table.rows],
        )
    for found in evaluations:
        if found.rows:
            parts += _markdown_table(
                evaluations_title(found),
                evaluations_header(found),
                [evaluation_cells(row, found) for row in found.rows],
            )
        if found.agreement:
            parts += _markdown_table(f"{found.run}, {found.dataset}: agreement", *brief_agreement(found.agreement))
    return "\n".join([*parts, footnote(tables), *scope_lines(tables, evaluations), ""])


def title_of(table: Comparison) -> str:
    """Data set, scorer, and the paper's table of this layout where it has these figures."""
    return f"{table.dataset}, {table.scorer}{_as_in_the_paper(table.rows)}"


def header_of(table: Comparison) -> list[str]:
    """Names of the columns."""
    tests = ["against " + table.reference, "p"] if len(table.rows) > 1 else []
    return ["run", "stages", *map(column_header, table.columns), "95 % interval", *tests]


def column_header(column: ScoredColumn) -> str:
    """Name and unit of a column, and that lower is better where it is."""
    unit = f" {column.unit}" if column.unit else ""
    return f"{column.name}{unit}{'' if column.metric.higher_is_better else ' (lower is better)'}"


def cells_of(row: ComparedRun, table: Comparison) -> list[str]:
    """One row; the paper's figure stands in brackets behind ours."""
    interval, digits = row.figures[table.tested.name].interval, 1 if table.tested.unit == "%" else 3
    cells = [
        row.run,
        format_stages(row.stages),
        *(format_figure(row.figures[column.name], column) for column in table.columns),
        _range(interval.low, interval.high, digits),
    ]
    if len(table.rows) == 1:
        return cells
    difference = row.difference
    if difference is None:
        return [*cells, "", ""]
    ends = _range(difference.interval.low, difference.interval.high, digits) or "-"
    return [*cells, f"{difference.value:+.{digits}f} [{ends}]", format_p(difference.p_value)]


def evaluations_title(found: Evaluations) -> str:
    """Run and test set, and the paper's table of this layout where it has these figures."""
    return f"{found.run}, {found.dataset}: every evaluation{_as_in_the_paper(found.rows)}"


def evaluations_header(found: Evaluations) -> list[str]:
    """Names of the columns."""
    return ["evaluation", "n", *map(column_header, found.columns), "95 % interval"]


def evaluation_cells(row: EvaluationRow, found: Evaluations) -> list[str]:
    """One row; behind ours the SD over runs or raters, and the paper's figure in brackets."""
    last = row.figures[found.columns[-1].name]
    return [
        row.label,
        str(last.n),
        *(format_figure(row.figures[column.name], column) for column in found.columns),
        _range(last.interval.low, last.interval.high, 1 if found.unit == "%" else 2),
    ]


def scope_lines(tables: Sequence[Comparison], evaluations: Sequence[Evaluations]) -> list[str]:
    """What people's ratings are conditional on, a line each."""
    scopes = [(row.run, table.dataset, table.scorer, row.scope) for table in tables for row in table.rows]
    scopes += [(found.run, found.dataset, row.scorer, row.scope) for found in evaluations for row in found.rows]
    return ["{}, {}, {}: people rated {}.".format(*scope) for scope in dict.fromkeys(scopes) if scope[-1]]


def format_figure(figure: ComparedFigure, column: ScoredColumn) -> str:
    """``75.6 ± 1.2 (77.4 ± 0.5)``: ours with its SD over runs or raters, and the paper's where there is one."""
    digits = papers = column.digits
    if column.level is not None:  # counts are whole, means of counts are not
        digits = 0 if float(figure.value or 0).is_integer() and not figure.sd else 1
        papers = 0 if figure.paper is None or figure.paper.sd is None else 2
    own = _with_sd(figure.value, figure.sd, digits)
    return own if figure.paper is None else f"{own} ({_with_sd(figure.paper.value, figure.paper.sd, papers)})"


def format_p(p_value: float) -> str:
    """Three digits, or that it is smaller."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def footnote(tables: Sequence[Comparison]) -> str:
    """What brackets, intervals and p are."""
    return (
        "In round brackets: the paper's figure for these stages; behind \u00b1 the SD over runs or raters.\n"
        f"Interval and test are of the column {' or '.join(dict.fromkeys(table.tested.name for table in tables))}.\n"
        f"Tests against the first run: {METHOD} (study, else image). Not corrected for their number."
    )


def format_stages(stages: Stages | None) -> str:
    """``none``, ``1``, ``2``, ``1 + 2``, or ``?`` where neither label nor configuration tells."""
    if stages is None:
        return "?"
    return " + ".join(name for name, done in zip("12", stages) if done) or "none"


def _range(low: float | None, high: float | None, digits: int) -> str:
    return "" if low is None or high is None else f"{low:.{digits}f}, {high:.{digits}f}"


def _as_in_the_paper(rows: Sequence[ComparedRun | EvaluationRow]) -> str:
    tables = dict.fromkeys(
        figure.paper.table.split(" (")[0] for row in rows for figure in row.figures.values() if figure.paper
    )
    return f", as in the paper's {' and '.join(tables)}" if tables else ""


def _with_sd(value: float | None, sd: float | None, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" + ("" if sd is None else f" \u00b1 {sd:.{digits}f}")


def _markdown_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["## " + _escaped(title), "", _line(header), _line(["---"] * len(header)), *map(_line, rows), ""]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
