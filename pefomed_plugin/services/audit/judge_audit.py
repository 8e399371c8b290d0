"""What a judge made of the probes: how often a verdict moved that must not, or stayed where it must fall."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from ...records import Score
from ...rubrics import Rubric
from ...scoring.intervals import Interval
from ...scoring.proportion import wilson_interval
from .judge_probes import FALL, HIGHEST, LOWEST, NOT_RISE, STAY, JudgeProbe

Verdicts = dict[str, float]
"""Id of a prediction -> the median of its runs' levels; none where no run gave one."""


@dataclass(frozen=True)
class KindFigure:
    """One kind of probes."""

    kind: str
    must: str
    """What the verdict must do."""
    n: int
    """Probes with a verdict, and with one to compare it with that can move so."""
    moved: int
    """Of them those whose verdict is another than that of the unchanged answer, or than the right one."""
    wrong: int
    """Of them those whose verdict does not do what it must."""
    interval: Interval
    """95 % of the share of wrong ones, 0 to 1."""
    without: int
    """The other probes."""


def median_verdicts(runs: Sequence[Sequence[Score]]) -> Verdicts:
    """Of each text the median over the runs that gave a verdict, the lower one of two."""
    levels: dict[str, list[float]] = {}
    for scores in runs:
        for score in scores:
            if score.value is not None:
                levels.setdefault(score.sample_id, []).append(score.value)
    return {key: statistics.median_low(values) for key, values in levels.items()}


def count_kinds(probes: Sequence[JudgeProbe], verdicts: Verdicts, rubric: Rubric) -> list[KindFigure]:
    """A figure for each kind, in their order."""
    kinds: dict[str, list[JudgeProbe]] = {}
    for probe in probes:
        kinds.setdefault(probe.kind, []).append(probe)
    return [_figure(kind, of_kind, verdicts, rubric) for kind, of_kind in kinds.items()]


def _figure(kind: str, probes: Sequence[JudgeProbe], verdicts: Verdicts, rubric: Rubric) -> KindFigure:
    fixed = {LOWEST: float(rubric.lowest), HIGHEST: float(rubric.highest)}
    stuck = {FALL: float(rubric.lowest), NOT_RISE: float(rubric.highest)}  # from there nothing falls or rises
    pairs = []
    for probe in probes:
        before = fixed.get(probe.must) if probe.base is None else verdicts.get(probe.base.id)
        after = verdicts.get(probe.changed.id)
        if before is not None and after is not None and before != stuck.get(probe.must):
            pairs.append((before, after))
    must = probes[0].must
    wrong = sum(not _as_it_must(must, before, after) for before, after in pairs)
    moved = sum(before != after for before, after in pairs)
    n = len(pairs)
    return KindFigure(kind, must, n, moved, wrong, wilson_interval(wrong, n), len(probes) - n)


def _as_it_must(must: str, before: float, after: float) -> bool:
    if must in (STAY, LOWEST, HIGHEST):
        return after == before
    return after < before if must == FALL else after <= before
