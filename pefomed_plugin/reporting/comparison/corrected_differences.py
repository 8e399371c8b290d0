"""What people would say of two runs' difference, from judges' verdicts on all answers and people's ratings of some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DataError
from ...rubrics import Rubric, rubric_from_json
from ...scoring.spec import RATER, RUN
from ..corrected import correct_two, corrected_tables
from ..rated_runs import RatedRun
from ..results import Answered, Run
from ..table import Table
from .compare import Comparison

Corrected = Mapping[tuple[str, str], Mapping[str, Any]]
"""(data set, judge) -> ``B against A`` -> figures as ``corrected.correct_two`` has them."""


def corrected_differences(
    runs: Sequence[Run], comparisons: Sequence[Comparison], axes: Sequence[str] = ()
) -> Corrected:
    """Of each judge's table the runs that people rated as well, against the reference, where they rated that too."""
    by_name = {run.name: run for run in runs}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for table in comparisons:
        if not table.rows:
            continue
        reference = by_name[table.reference].answered[table.dataset]
        rubric, other = _rubric(reference, table.scorer), _rated(reference, table.scorer)
        for row in table.rows if rubric and other else ():
            one = _rated(by_name[row.run].answered[table.dataset], table.scorer)
            if row.difference is not None and one is not None and rubric is not None and other is not None:
                of_table = found.setdefault((table.dataset, table.scorer), {})
                of_table[f"{row.run} against {table.reference}"] = correct_two(one, other, rubric, axes)
    return found


def difference_tables(found: Corrected) -> list[Table]:
    """A table for each judge."""
    return [
        table
        for (dataset, scorer), of_table in found.items()
        for table in corrected_tables(f"{dataset}, {scorer}: differences corrected by people's ratings", of_table, True)
    ]


def differences_to_json(found: Corrected) -> list[dict[str, Any]]:
    """As ``compare.json`` holds them."""
    return [
        {"dataset": dataset, "scorer": scorer, "differences": of_table} for (dataset, scorer), of_table in found.items()
    ]


def _rubric(answered: Answered, scorer: str) -> Rubric | None:
    """What a judge rated by; None for what is no judge, or from before rubrics were noted."""
    record = answered.judges.get(scorer, {}).get("rubric")
    spec = answered.scorers[scorer]
    if spec.repeated != RUN or spec.summary_of or not record:
        return None
    try:
        return rubric_from_json(record, f"{answered.key}, {scorer}")
    except (AttributeError, KeyError, TypeError) as error:
        raise DataError(f"{answered.key}: the rubric of {scorer} is damaged; judge again") from error


def _rated(answered: Answered, judge: str) -> RatedRun | None:
    """A run's answers with what a judge and people by the same rubric gave them; None where people gave nothing."""
    rubric = answered.scorers[judge].rubric
    people = [
        spec.name
        for spec in answered.scored
        if spec.repeated == RATER and spec.rubric == rubric and spec.name in answered.runs
    ]
    if not people or judge not in answered.runs:
        return None
    rated = [scores for name in people for scores in answered.runs[name]]
    scope = answered.judges.get(people[0], {}).get("scope")
    return RatedRun(answered.predictions, answered.runs[judge], rated, scope)
