"""What the page shows of runs beside each other: one figure of each in the summary, and the tables. No HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ...scoring.spec import ScorerSpec
from ..comparison.compare import ComparedRun, Comparison, compare_runs, sees_own_images
from ..comparison.compare_tables import comparison_table, footnotes
from ..comparison.findings import find
from ..comparison.lineage import stages_of
from ..comparison.paper_figures import BOTH, NONE, STAGE_1, STAGE_2
from ..figures import Figure
from ..leaks import parting_axes
from ..rendering import to_page
from ..results import Answered, Run
from ..table import Cell, text_of

_PROGRESSION = (NONE, STAGE_1, STAGE_2, BOTH)
"""The paper's ablation, from its first row to its last."""


def comparison_data(runs: Sequence[Run], axes: Sequence[str]) -> dict[str, Any] | None:
    """The tables with what their tests say, where there is something to compare with.

    Raises:
        ConfigError: no such axis.
        DataError: the runs cannot be compared.
    """
    if len(runs) < 2:
        return None
    comparisons = [_in_progression(found, runs) for found in compare_runs(runs) if len(found.rows) > 1]
    parted = [axis for axis in parting_axes(runs) if axis not in axes]
    findings = find(runs, comparisons, [*axes, *parted])
    return {
        "title": "Ablation" if _is_ablation(runs) else "Comparison",
        "tables": [
            _compared(comparison, findings.lines.get((comparison.dataset, comparison.scorer), ()))
            for comparison in comparisons
        ],
        "further": list(map(to_page, findings.tables)),
        "notes": footnotes(comparisons),
    }


def beside(runs: Sequence[Run], key: str, headline: tuple[ScorerSpec, str] | None) -> list[dict[str, Any]]:
    """The headline figure of every run on one test set, in the order of the progression; nothing of a single run."""
    if len(runs) < 2 or headline is None:
        return []
    ordered = sorted(runs, key=lambda run: _place(run, run.answered.get(key)))
    return [_beside(run, run.answered.get(key), *headline) for run in ordered]


def _beside(run: Run, answered: Answered | None, spec: ScorerSpec, group: str) -> dict[str, Any]:
    figure = answered.figures.get(spec.name, {}).get(group) if answered else None
    if not isinstance(figure, Mapping) or figure.get("value") is None:
        why = "has no answers to these" if answered is None else f"not scored by {spec.name}"
        return {"run": run.name, "value": None, "shown": why, "interval": None, "floor": None}
    floor = answered.floors[spec.name] if answered and spec.name in answered.floors else None
    found = floor.answered.figures.get(spec.name, {}).get(group) if floor else None
    return {
        "run": run.name,
        "value": figure["value"],
        "shown": text_of(replace(Figure(spec.name, group, figure).value(), sd=None)),
        "interval": figure.get("interval"),
        "floor": found.get("value") if isinstance(found, Mapping) else None,
    }


def _is_ablation(runs: Sequence[Run]) -> bool:
    """Whether these are rows of the paper's ablation: the stages of each are known, and no two have the same."""
    stages = [stages_of(run) for run in runs]
    own = all(sees_own_images(answered) for run in runs for answered in run.answered.values())
    return own and None not in stages and len(set(stages)) == len(stages)


def _in_progression(comparison: Comparison, runs: Sequence[Run]) -> Comparison:
    """Rows from no training to both stages; then those that are none of the paper's rows, as they were given."""
    by_name = {run.name: run for run in runs}

    def place(row: ComparedRun) -> int:
        run = by_name[row.run]
        return _place(run, run.answered.get(comparison.dataset))

    return replace(comparison, rows=sorted(comparison.rows, key=place))


def _place(run: Run, answered: Answered | None) -> int:
    stages = stages_of(run)
    is_row = stages is not None and (answered is None or sees_own_images(answered))
    return _PROGRESSION.index(stages) if is_row and stages in _PROGRESSION else len(_PROGRESSION)


def _compared(comparison: Comparison, lines: Sequence[str]) -> dict[str, Any]:
    """A table, and one bar per run."""
    tested = comparison.tested
    floor = comparison.floor.figures[tested.name].value if comparison.floor else None
    figures = [(row.run, row.figures[tested.name]) for row in comparison.rows]
    return {
        "floor": floor,
        "floorSaid": comparison.floor.run if comparison.floor else "",
        "table": to_page(comparison_table(comparison)),
        "said": lines,
        "unit": tested.unit,
        "range": tested.metric.shown_range,
        "bars": [
            {
                "run": run,
                "value": figure.value,
                "shown": text_of(Cell(figure.value, tested.unit, digits=tested.digits)),
                "interval": asdict(figure.interval),
            }
            for run, figure in figures
        ],
    }
