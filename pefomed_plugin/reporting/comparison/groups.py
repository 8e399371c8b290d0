"""Runs by organ, phrase type or another axis in the layout of the paper's tables 3 and 4: evaluations by groups.

Works on runs that were read; the paper's figure stands in brackets where it prints one for the run's stages.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import ConfigError
from ...scoring.breakdown import NOT_GIVEN, GroupMean, check_axes, places_of_groups
from ...scoring.spec import ACCURACY, ScorerSpec
from ..breakdowns import break_down_answers, title_of_axis
from ..floors import floor_label
from ..results import Answered, Run
from ..table import FIGURE, HIGHER, Cell, Column, Table
from .compare import stages_in_paper
from .paper_figures import PaperFigure, Stages, paper_figure


def group_tables(runs: Sequence[Run], axes: Sequence[str]) -> list[Table]:
    """A table for each run, test set and axis: a row for each evaluation that says right or wrong, a column a group.

    Raises:
        ConfigError: no such axis, or one that none of the answers has a value for.
    """
    found: list[Table] = []
    for run in runs:
        for answered in run.answered.values():
            check_axes(axes, answered.predictions)
            for axis in axes:
                groups = places_of_groups(answered.predictions, axis)
                specs = [spec for spec in answered.scored if spec.kind == ACCURACY]
                if list(groups) != [NOT_GIVEN] and specs:
                    found.append(_table(run, answered, axis, list(groups), specs))
    if axes and not found:
        raise ConfigError(f"none of these runs has right or wrong answers with a value for {', '.join(axes)}")
    return found


def has_right_or_wrong(runs: Sequence[Run]) -> bool:
    """Whether anything says right or wrong of any of their answers."""
    return any(spec.kind == ACCURACY for run in runs for answered in run.answered.values() for spec in answered.scored)


def _table(run: Run, answered: Answered, axis: str, groups: Sequence[str], specs: Sequence[ScorerSpec]) -> Table:
    dataset, stages = answered.predictions[0].dataset, stages_in_paper(run, answered)
    cells = {
        spec.name: {cell.group: cell for cell in break_down_answers(answered, spec.name, axis).cells} for spec in specs
    }
    floors = {
        spec.name: break_down_answers(floor.answered, spec.name, axis).cells
        for spec in specs
        if (floor := answered.floors.get(spec.name))
    }
    papers = [_paper(dataset, spec, group, stages) for spec in specs for group in groups]
    tables = dict.fromkeys(figure.table for figure in papers if figure)
    as_printed = f", as in the paper's {' and '.join(tables)}" if tables else ""
    labels = {cell.group: cell.label for of in cells.values() for cell in of.values()}

    def column(group: str) -> Column:
        def content(row: tuple[ScorerSpec, bool]) -> Cell:
            spec, is_floor = row
            if is_floor:
                return _cell(next(cell for cell in floors[spec.name] if cell.group == group), None)
            return _cell(cells[spec.name][group], _paper(dataset, spec, group, stages))

        return Column(labels[group], content, FIGURE, unit="%", better=HIGHER)

    notice = run.origins.of(dataset).notice
    return Table(
        f"{run.name}, {answered.key} by {title_of_axis(axis, dataset)}{as_printed}",
        [Column("evaluation", lambda row: _label(answered, *row)), *map(column, groups)],
        [*((spec, False) for spec in specs), *((spec, True) for spec in specs if spec.name in floors)],
        [f"{notice} The paper's figures do not compare with them." if tables else notice] if notice else [],
    )


def _label(answered: Answered, spec: ScorerSpec, is_floor: bool) -> str:
    return f"{floor_label(answered.floors[spec.name].predictor)}, {spec.name}" if is_floor else spec.name


def _paper(dataset: str, spec: ScorerSpec, group: str, stages: Stages | None) -> PaperFigure | None:
    return paper_figure(dataset, spec.paper, group, stages) if spec.paper else None


def _cell(found: GroupMean, paper: PaperFigure | None) -> Cell:
    reason = "" if found.value is not None else "nothing scored"
    return Cell(
        found.value,
        sd=found.sd,
        digits=1,
        reason=reason,
        paper=paper.value if paper else None,
        paper_sd=paper.sd if paper else None,
    )
