"""What a comparison says in plain words: better, worse, not settled, no difference found, too few to tell.

A run is called better only where p, adjusted for the number of tests, is below 0.05 and the interval keeps off 0. Where
nothing was found, the sentence says which differences the test would have missed. Computes no statistic of its own:
those are in ``scoring.paired``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ...scoring.breakdown import check_axes, label_of, places_of_groups, says_nothing
from ...scoring.paired import Difference, adjust_holm, least_p
from ...scoring.spec import ACCURACY, ScoredColumn
from ..breakdowns import title_of_axis
from ..results import Run
from ..table import Cell, text_of
from .compare import Comparison, difference_of

BETTER, WORSE, UNSETTLED, NONE_FOUND, TOO_FEW = "better", "worse", "not settled", "no difference found", "too few"
LEVEL, POWER = 0.05, 0.8


@dataclass(frozen=True)
class Verdict:
    """One test of a run against the reference."""

    dataset: str
    """``<data set>-<split>``."""
    scorer: str
    """Its name."""
    column: ScoredColumn
    """What was tested."""
    kind: str
    """Of the scorer."""
    run: str
    """Label."""
    reference: str
    """Label."""
    difference: Difference
    """Run minus reference, in the unit that is shown."""
    adjusted_p: float
    """By Holm."""
    tests: int
    """How many it is adjusted for."""
    axis: str = ""
    """What it is a group of; empty: all samples."""
    group: str = ""
    """With what the data set says that it stands for."""

    @property
    def gain(self) -> float:
        """By how much the run is better, whichever way better is."""
        return self._sign * self.difference.value

    @property
    def _sign(self) -> int:
        return 1 if self.column.metric.higher_is_better else -1

    @property
    def conclusion(self) -> str:
        """``BETTER``, ``WORSE``, ``UNSETTLED``, ``NONE_FOUND`` or ``TOO_FEW``."""
        low, high = self.difference.interval.low, self.difference.interval.high
        keeps_off_0 = low is None or high is None or low > 0 or high < 0
        if self.adjusted_p < LEVEL and keeps_off_0 and self.gain:
            return BETTER if self.gain > 0 else WORSE
        if least_p(self.difference.clusters) * self.tests >= LEVEL:
            return TOO_FEW
        if self.difference.p_value < LEVEL or (low is not None and keeps_off_0):
            return UNSETTLED
        return NONE_FOUND

    @property
    def least_seen(self) -> float | None:
        """The least difference that the test would have found in 80 of 100 such test sets, in the unit shown."""
        step = self.column.metric.factor if self.kind == ACCURACY else 0.0
        return self.difference.least_seen(1 - LEVEL / max(1, self.tests), POWER, step)

    def to_json(self) -> dict[str, Any]:
        """As ``compare.json`` holds it."""
        return {
            "dataset": self.dataset,
            "scorer": self.scorer,
            "run": self.run,
            "reference": self.reference,
            **({"axis": self.axis, "group": self.group} if self.axis else {}),
            "conclusion": self.conclusion,
            "difference": asdict(self.difference),
            "adjusted_p": self.adjusted_p,
            "tests": self.tests,
            "least_seen": self.least_seen,
            "sentence": sentence(self),
        }


def overall_verdicts(comparisons: Sequence[Comparison]) -> list[Verdict]:
    """One for each run of each table that was tested."""
    return [
        Verdict(
            table.dataset,
            table.scorer,
            table.tested,
            table.kind,
            row.run,
            table.reference,
            row.difference,
            row.adjusted_p,
            table.tests,
        )
        for table in comparisons
        for row in table.rows
        if row.difference is not None and row.adjusted_p is not None
    ]


def group_verdicts(runs: Sequence[Run], overall: Sequence[Verdict], axes: Sequence[str]) -> list[Verdict]:
    """The same of each group of some axes; adjusted for the number of all groups.

    Raises:
        ConfigError: no such axis.
    """
    by_name, found = {run.name: run for run in runs}, []
    for verdict in overall:
        answered, other = (by_name[name].answered[verdict.dataset] for name in (verdict.run, verdict.reference))
        check_axes(axes, answered.predictions)
        for axis in axes:
            groups = places_of_groups(answered.predictions, axis)
            for group, places in groups.items() if not says_nothing(groups) else ():
                ids = {answered.predictions[place].id for place in places}
                difference = difference_of(answered, other, verdict.column, ids)
                if difference is not None:
                    label = label_of(answered.predictions[0].dataset, axis, group)
                    found.append(replace(verdict, difference=difference, axis=axis, group=label))
    adjusted = adjust_holm([verdict.difference.p_value for verdict in found])
    return [replace(verdict, adjusted_p=p, tests=len(found)) for verdict, p in zip(found, adjusted)]


def sentence(verdict: Verdict) -> str:
    """The verdict in words: ``B is better than A by 3.1 points (1.2 to 5.0; p = 0.004 adjusted for 6 tests).``"""
    one, other, found = verdict.run, verdict.reference, verdict.difference
    among = f"{verdict.axis} {verdict.group}: " if verdict.axis else ""
    conclusion, missed = verdict.conclusion, _missed(verdict)
    if conclusion == TOO_FEW:
        return f"{among}Too few to tell {one} from {other}: {_count(verdict)}"
    if conclusion in (BETTER, WORSE):
        return f"{among}{one} is {conclusion} than {other} by {_amount(abs(verdict.gain), verdict)} ({_ends(verdict)})."
    if not found.error and not found.value:
        return f"{among}{one} and {other} have the same score on every one of {found.n:,} samples{missed}."
    here = f"{_amount(abs(verdict.gain), verdict)} {'better' if verdict.gain > 0 else 'worse'} here"
    here = f"{here if verdict.gain else 'equal on average here'}, {_ends(verdict)}"
    if conclusion == UNSETTLED:
        return f"{among}Whether {one} is better or worse than {other} is not settled ({here}){missed}."
    return f"{among}No difference was found between {one} and {other} ({here}){missed}."


def group_sentence(verdicts: Sequence[Verdict], title: str) -> str:
    """The groups of one axis in one line: ``B against A by organ: CHEST: better by 5.1 points (...); ...``."""
    parts = [
        f"{verdict.group}: {verdict.conclusion} by {_amount(abs(verdict.gain), verdict)} ({_ends(verdict, said=False)})"
        for verdict in verdicts
        if verdict.conclusion in (BETTER, WORSE)
    ]
    for conclusion in (NONE_FOUND, UNSETTLED):
        of = [verdict for verdict in verdicts if verdict.conclusion == conclusion]
        parts += [f"{conclusion}: {', '.join(verdict.group for verdict in of)}{_all_missed(of)}"] if of else []
    few = [f"{verdict.group} ({verdict.difference.clusters})" for verdict in verdicts if verdict.conclusion == TOO_FEW]
    parts += [f"too few studies or images to tell: {', '.join(few)}"] if few else []
    first = verdicts[0]
    tests = f" (p adjusted for {first.tests} tests)" if first.tests > 1 else ""
    return f"{first.run} against {first.reference} by {title}{tests}: {'; '.join(parts)}."


def verdict_lines(
    runs: Sequence[Run], overall: Sequence[Verdict], groups: Sequence[Verdict]
) -> dict[tuple[str, str], list[str]]:
    """(data set, scorer) -> what is said below its table: a line each run, and each axis that groups were asked of."""
    by_name = {run.name: run for run in runs}
    lines: dict[tuple[str, str], list[str]] = {}
    for verdict in overall:
        of_table = lines.setdefault((verdict.dataset, verdict.scorer), [])
        of_table.append(sentence(verdict))
        mine = [
            group
            for group in groups
            if (group.dataset, group.scorer, group.run) == (verdict.dataset, verdict.scorer, verdict.run)
        ]
        for axis in dict.fromkeys(group.axis for group in mine):
            dataset = by_name[verdict.run].answered[verdict.dataset].predictions[0].dataset
            title = title_of_axis(axis, dataset)
            of_table.append("  " + group_sentence([group for group in mine if group.axis == axis], title))
    return lines


def _count(verdict: Verdict) -> str:
    clusters = verdict.difference.clusters
    needed = next(count for count in range(2, 60) if least_p(count) * verdict.tests < LEVEL)
    tests = f" with {verdict.tests} tests" if verdict.tests > 1 else ""
    return f"{clusters} independent studies or images, no test{tests} can find a difference below {needed}."


def _amount(value: float, verdict: Verdict) -> str:
    unit = verdict.column.unit
    number = f"{value:,.{verdict.column.digits}f}"
    if unit == "%":
        return f"{number} points"
    if verdict.column.is_mean_level:
        return f"{number} levels"
    return f"{number} {unit}" if unit else number


def _ends(verdict: Verdict, said: bool = True) -> str:
    """Interval in the direction of the gain that is spoken of, and p; ``said``: with what it is adjusted for."""
    low, high = verdict.difference.interval.low, verdict.difference.interval.high
    text = "p" + _p(verdict.adjusted_p)
    text += f" adjusted for {verdict.tests} tests" if said and verdict.tests > 1 else ""
    if low is None or high is None:
        return text
    ends = sorted(end * (1 if verdict.difference.value >= 0 else -1) for end in (low, high))
    digits = verdict.column.digits
    return f"{ends[0]:,.{digits}f} to {ends[1]:,.{digits}f}; {text}"


def _p(value: float) -> str:
    shown = text_of(Cell(value, least=0.001, digits=3))
    return f" {shown}" if shown.startswith("<") else f" = {shown}"


def _missed(verdict: Verdict) -> str:
    least, (low, high) = verdict.least_seen, verdict.column.metric.shown_range
    if least is None:
        return ""
    if least >= high - low:
        return "; any difference would probably have been missed"
    return f"; a difference below {_amount(least, verdict)} would probably have been missed"


def _all_missed(verdicts: Sequence[Verdict]) -> str:
    least = [found for found in (verdict.least_seen for verdict in verdicts) if found is not None]
    if len(least) < len(verdicts):
        return ""
    numbers = [f"{found:,.{verdict.column.digits}f}" for verdict, found in zip(verdicts, least)]
    unit = _amount(least[0], verdicts[0])[len(numbers[0]) :]
    return f" (differences below {', '.join(numbers)}{unit} would be missed)"
