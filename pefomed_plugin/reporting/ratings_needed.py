"""How many ratings by people are needed for a run's figures, or for the difference of two, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, DataError
from ..records import Prediction
from ..rubrics import Rubric
from ..scoring.breakdown import check_axes, cluster_of, label_of, places_of_groups
from ..scoring.corrected import APART, MEAN, correct_difference, correct_mean, made_up_ratings
from ..scoring.exact_match import PEFOMED, score_exact_match
from ..scoring.intervals import Interval
from ..scoring.judged_and_rated import FEWEST, JudgedAndRated, Paired, pair_difference, pair_up
from ..scoring.ratings_needed import RatingsNeeded, ratings_needed
from .rated_runs import NOT_RANDOM, RatedRun, rated_runs, read_ratings
from .table import COUNT, FIGURE, Cell, Column, Table


@dataclass(frozen=True)
class Answers:
    """One run's answers to a test set, and the folder with the ratings of them."""

    predictions: Sequence[Prediction]
    folder: Path


@dataclass(frozen=True)
class Planned:
    """What one figure needs."""

    name: str
    """The judge, or a group of what it judged."""
    found: RatingsNeeded
    width: float
    """Of the scale, in the unit shown: 100 for accuracy."""
    unit: str
    """``points`` or nothing."""

    def to_json(self) -> dict[str, Any]:
        """Half-widths are shares of the scale where it is right or wrong, else in levels."""
        scale = 1.0 if self.unit else self.width
        content = asdict(self.found)
        for key in ("now", "if_all"):
            content[key] = None if content[key] is None else scale * content[key]
        return {"name": self.name, **content}


def plan_ratings(
    answers: Sequence[Answers], half_width: float, wanted: Rubric | None = None, axes: Sequence[str] = ()
) -> list[Planned]:
    """What each judge's corrected figure needs, and each group's.

    Args:
        answers: one run's, or two runs' whose difference is meant.
        half_width: of accuracy as a share, of levels in levels.
        wanted: only what was rated by this rubric.
        axes: groups of these axes, too.

    Raises:
        ConfigError: no such axis, or no such half-width.
        DataError: nothing was judged or rated, or ratings that do not fit.
    """
    check_axes(axes, answers[0].predictions)
    rubric, runs = _runs_of(answers[0], wanted)
    others = _runs_of(answers[1], rubric)[1] if len(answers) > 1 else {}
    names = [name for name in runs if name in others or len(answers) == 1]
    if not names:
        raise DataError(f"no judge has judged both runs by the rubric {rubric.label}; judge them first")
    planned = []
    for name in names:
        planned += _plan(runs[name], others.get(name), rubric, half_width, name, axes)
    return planned


def _runs_of(answers: Answers, wanted: Rubric | None) -> tuple[Rubric, dict[str, RatedRun]]:
    """The rubric and each judge's verdicts beside people's; of answers without a judge exact match stands for one."""
    rubric, runs = read_ratings(answers.predictions, answers.folder, wanted)
    found = rated_runs(answers.predictions, answers.folder, runs)
    if not found and rubric.is_accuracy:
        exact = score_exact_match(answers.predictions)
        found = rated_runs(answers.predictions, answers.folder, runs, {PEFOMED.name: [exact]})
    if not found:
        raise DataError(f"{answers.folder}: no judge has rated these reports; run pefomed judge first")
    if not all(run.is_random for run in found.values()):
        raise DataError(f"{answers.folder}: {NOT_RANDOM}")
    return rubric, found


def _plan(
    one: RatedRun, other: RatedRun | None, rubric: Rubric, half_width: float, name: str, axes: Sequence[str]
) -> list[Planned]:
    shared, first, second = list(one.predictions), one.paired, other.paired if other else None
    if other is not None and second is not None:
        by_id = {prediction.id: place for place, prediction in enumerate(other.predictions)}
        kept = [place for place, prediction in enumerate(shared) if prediction.id in by_id]
        second = second.only([by_id[shared[place].id] for place in kept])
        first, shared = first.only(kept), [shared[place] for place in kept]
    if not shared:
        raise DataError("the two runs answered no question in common")
    width = 100.0 if rubric.is_accuracy else float(rubric.highest - rubric.lowest)
    wished = half_width if rubric.is_accuracy else half_width / width
    parts = {name: list(range(len(shared)))}
    for axis in axes:
        for group, places in places_of_groups(shared, axis).items():
            parts[f"  {axis} {label_of(shared[0].dataset, axis, group)}"] = places
    unit = "points" if rubric.is_accuracy else ""
    return [
        Planned(label, _needed(first, second, shared, places, rubric, wished), width, unit)
        for label, places in parts.items()
    ]


def _needed(
    first: JudgedAndRated,
    second: JudgedAndRated | None,
    predictions: Sequence[Prediction],
    places: Sequence[int],
    rubric: Rubric,
    half_width: float,
) -> RatingsNeeded:
    if not 0 < half_width < 1:
        raise ConfigError("--half-width must be less than the whole scale: 0.02 is two points of accuracy")
    clusters = [cluster_of(predictions[place]) for place in places]
    ends = (0.0, 1.0) if rubric.is_accuracy else (float(rubric.lowest), float(rubric.highest))
    if second is None:
        found = correct_mean(first.only(places), clusters, *ends)
        paired: Paired = pair_up(first.only(places), clusters, *ends)
        made_up = MEAN
    else:
        both = first.only(places), second.only(places)
        found, paired = correct_difference(*both, clusters, *ends), pair_difference(*both, clusters, *ends)[0]
        made_up = APART
    low, high = found.prediction_powered.interval.low, found.prediction_powered.interval.high
    scale = ends[1] - ends[0]
    shares = Interval(None, None) if low is None or high is None else Interval(low / scale, high / scale)
    return ratings_needed(paired, half_width, shares, *made_up_ratings(made_up, rubric.is_accuracy))


def needed_table(planned: Sequence[Planned], half_width: float) -> Table:
    """A row for each figure."""
    first = planned[0]
    digits = 1 if first.unit else 2
    wished = f"{first.width * half_width:g} points" if first.unit else f"{half_width:g}"

    def half(row: Planned, value: float | None) -> Cell:
        return Cell(None if value is None else row.width * value, digits=digits, reason="too few")

    def count(value: int | None) -> Cell:
        return Cell(value, digits=0, reason="more than all")

    columns = [
        Column("", lambda row: row.name),
        Column("rated", lambda row: Cell(row.found.rated, of=row.found.n), COUNT),
        Column("half-width now", lambda row: half(row, row.found.now), FIGURE, unit=first.unit),
        Column("needed", lambda row: count(row.found.needed), FIGURE),
        Column("without the judge", lambda row: count(row.found.without_judge), FIGURE),
        Column("half-width of all", lambda row: half(row, row.found.if_all), FIGURE, unit=first.unit),
    ]
    return Table(f"Ratings for \u00b1 {wished} (half of a 95 % interval)", columns, planned)


def needed_lines(planned: Sequence[Planned]) -> list[str]:
    """What to do, in words; what the numbers rest on."""
    lines = []
    for row in planned:
        found, name = row.found, row.name.strip()
        if found.needed is None:
            half = f"{row.width * found.if_all:.{1 if row.unit else 2}f}{' ' + row.unit if row.unit else ''}"
            lines.append(
                f"{name}: not even all {found.n:,} answers rated give it (\u00b1 {half}): it takes more questions."
            )
            done = (
                f"enough are rated ({found.rated:,})"
                if found.of_these <= found.rated
                else f"rate about {found.of_these:,}"
            )
            lines.append(f"  To know that well what people say of these very answers, {done}.")
        elif found.needed <= found.rated and not found.is_bound:
            lines.append(f"{name}: enough are rated.")
        else:
            more, total = max(0, found.needed - found.rated), f"{found.needed:,} of {found.n:,}"
            lines.append(f"{name}: rate about {total} answers, {more:,} more (rate export --random {found.needed}).")
        if found.is_bound:
            lines.append(
                f"  An upper bound: with {found.rated} rated (fewer than {FEWEST}, or of too few images) nothing is "
                "known of how good the judge is; it counts as of no use."
            )
    lines.append("The same --seed draws the answers rated before and more of them (docs/statistics.md).")
    return lines
