"""A comparison as tables, and as a Markdown document. Computes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Callable

from ...scoring.breakdown import CLUSTERED_BY
from ...scoring.paired import METHOD
from ...scoring.spec import ScoredColumn
from ..agreement_tables import pairs_table, together_table
from ..figures import INTERVAL
from ..rendering import Shown, to_markdown
from ..table import COUNT, FIGURE, HIGHER, LOWER, QUIET, Cell, Column, Table
from .compare import ComparedFigure, ComparedRun, Comparison
from .evaluations import EvaluationRow, Evaluations
from .paper_figures import Stages

Lines = Mapping[tuple[str, str], Sequence[str]]
"""(data set, scorer) -> what is said below its table."""


def comparison_view(
    comparisons: Sequence[Comparison],
    evaluations: Sequence[Evaluations] = (),
    further: Sequence[Table] = (),
    lines: Lines = MappingProxyType({}),
) -> list[Shown]:
    """Every table, and what its columns and tests are; ``further`` tables stand below the others."""
    tables = [*_tables(comparisons, evaluations, lines), *further]
    separated = [part for table in tables for part in (table, "")]
    return [*separated, *footnotes(comparisons), *scope_lines(comparisons, evaluations)]


def comparison_markdown(
    comparisons: Sequence[Comparison],
    evaluations: Sequence[Evaluations] = (),
    further: Sequence[Table] = (),
    lines: Lines = MappingProxyType({}),
) -> str:
    """The comparison as a Markdown document."""
    tables = map(to_markdown, [*_tables(comparisons, evaluations, lines), *further])
    below = [*footnotes(comparisons), *scope_lines(comparisons, evaluations)]
    return "\n\n".join(["# Comparison of runs", *tables, "\n".join(below)]) + "\n"


def _tables(comparisons: Sequence[Comparison], evaluations: Sequence[Evaluations], lines: Lines) -> list[Table]:
    tables: list[Table] = []
    said: set[str] = set()
    for comparison in comparisons:
        table = comparison_table(comparison, lines.get((comparison.dataset, comparison.scorer), ()))
        tables.append(replace(table, notes=[note for note in table.notes if note not in said]))
        said.update(table.notes)
    for found in evaluations:
        if found.rows:
            tables.append(evaluation_table(found))
        if found.agreement:
            title = f"{found.run}, {found.dataset}: agreement"
            tables += [pairs_table(title, found.agreement), together_table(title + " of all", found.agreement)]
    return tables


def comparison_table(comparison: Comparison, lines: Sequence[str] = ()) -> Table:
    """Runs below each other; below them what the tests say (``lines``), and how each differs from the paper's."""
    rows = [*comparison.rows, *([comparison.floor] if comparison.floor else [])]
    tested, deviations = comparison.tested, {row.run: "; ".join(row.deviations) for row in rows}
    against = [
        Column("against " + comparison.reference, lambda row: _difference(row, tested), FIGURE),
        Column("p" if comparison.tests < 2 else "p (Holm)", _p, FIGURE),
    ]
    return Table(
        f"{comparison.dataset}, {comparison.scorer}{_as_in_the_paper(comparison.rows)}",
        [
            Column("run", lambda row: row.run),
            Column("stages", lambda row: "" if row is comparison.floor else format_stages(row.stages)),
            *map(_scored_column, comparison.columns),
            Column(INTERVAL, _interval_of(tested), FIGURE),
            *(against[: 2 if len(comparison.rows) > 1 else 1] if len(rows) > 1 else ()),
        ],
        rows,
        [*lines, *(f"  {run}: {text or 'no deviation from the paper known'}" for run, text in deviations.items())],
        tone=lambda row: QUIET if row is comparison.floor else "",
    )


def evaluation_table(found: Evaluations) -> Table:
    """Exact match, judges and people of one run below each other."""
    tested = found.columns[-1]
    return Table(
        f"{found.run}, {found.dataset}: every evaluation{_as_in_the_paper(found.rows)}",
        [
            Column("evaluation", lambda row: row.label),
            Column("n", lambda row: row.figures[tested.name].n, COUNT),
            *map(_scored_column, found.columns),
            Column(INTERVAL, _interval_of(tested), FIGURE),
        ],
        found.rows,
        tone=lambda row: QUIET if row.is_floor else "",
    )


def footnotes(comparisons: Sequence[Comparison]) -> list[str]:
    """What brackets, intervals and p are."""
    tested = " or ".join(dict.fromkeys(comparison.tested.name for comparison in comparisons))
    tests = max((comparison.tests for comparison in comparisons), default=0)
    adjusted = f"p is adjusted for these {tests} tests (Holm), that of a group for all groups." if tests > 1 else ""
    rows = [row for comparison in comparisons for row in comparison.rows]
    brackets = "In round brackets: the paper's figure for these stages; behind" if _as_in_the_paper(rows) else "Behind"
    return [
        f"{brackets} \u00b1 the SD over runs or raters.",
        f"Interval and test are of the column {tested}.",
        f"Tests against the first run: {METHOD} ({CLUSTERED_BY}).",
        *([adjusted] if adjusted else []),
    ]


def scope_lines(comparisons: Sequence[Comparison], evaluations: Sequence[Evaluations]) -> list[str]:
    """What people's ratings are conditional on, a line each."""
    scopes = [(row.run, found.dataset, found.scorer, row.scope) for found in comparisons for row in found.rows]
    scopes += [(found.run, found.dataset, row.scorer, row.scope) for found in evaluations for row in found.rows]
    return [
        f"{run}, {dataset}, {scorer}: people rated {scope}."
        for run, dataset, scorer, scope in dict.fromkeys(scopes)
        if scope
    ]


def figure_cell(figure: ComparedFigure, column: ScoredColumn) -> Cell:
    """Ours with its SD over runs or raters, and the paper's where there is one."""
    digits = papers = column.digits
    paper = figure.paper
    if column.level is not None:  # counts are whole, means of counts are not
        digits = 0 if float(figure.value or 0).is_integer() and not figure.sd else 1
        papers = 0 if paper is None or paper.sd is None else 2
    return Cell(
        figure.value,
        sd=figure.sd,
        digits=digits,
        paper=paper.value if paper else None,
        paper_sd=paper.sd if paper else None,
        paper_digits=papers,
    )


def format_stages(stages: Stages | None) -> str:
    """``none``, ``1``, ``2``, ``1 + 2``, or ``?`` where neither label nor configuration tells."""
    if stages is None:
        return "?"
    return " + ".join(name for name, done in zip("12", stages) if done) or "none"


def _scored_column(column: ScoredColumn) -> Column:
    better = None if column.level is not None else HIGHER if column.metric.higher_is_better else LOWER
    return Column(
        column.name,
        lambda row: figure_cell(row.figures[column.name], column),
        FIGURE,
        unit=column.unit,
        better=better,
        help="" if column.level is not None else column.metric.title,
    )


def _interval_of(column: ScoredColumn) -> Callable[[ComparedRun | EvaluationRow], Cell]:
    return lambda row: Cell(interval=row.figures[column.name].interval, unit=column.unit, digits=column.digits)


def _p(row: ComparedRun) -> Cell | None:
    return Cell(row.adjusted_p, least=0.001) if row.adjusted_p is not None else None


def _difference(row: ComparedRun, tested: ScoredColumn) -> Cell | None:
    found = row.difference
    return Cell(found.value, interval=found.interval, digits=tested.digits, signed=True) if found else None


def _as_in_the_paper(rows: Sequence[ComparedRun | EvaluationRow]) -> str:
    tables = dict.fromkeys(
        figure.paper.table.split(" (")[0] for row in rows for figure in row.figures.values() if figure.paper
    )
    return f", as in the paper's {' and '.join(tables)}" if tables else ""
