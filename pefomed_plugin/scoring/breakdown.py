"""Scores by group, as in the paper's figures 3 to 6 and tables 3 and 4: each cell with n, value and interval.

Takes the scores of one scorer; ``reporting`` shows them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Callable

from ..errors import ConfigError, near_names
from ..readers import describe
from ..records import CLOSED, OPEN, Prediction, Score
from .intervals import Interval, cluster_interval
from .leaks import FINDINGS, LEAK_AXES, NO, NOT_EXAMINED, ORDER, YES
from .pairing import answer_type, mean, pair_scores

NOT_GIVEN = "not given"
"""Group of the rows without a value on the axis; they are shown, not dropped."""


@dataclass(frozen=True)
class GroupMean:
    """One group of one axis."""

    group: str
    """``PRES``, ``CHEST``, ... as the data set names it."""
    label: str
    """The same with what its data set says that it stands for: ``PRES (presence)``."""
    n: int
    """Scored predictions of the group; a row with two question types counts in both groups."""
    unscored: int
    """Predictions of the group that the scorer left without a value; not in the mean."""
    value: float | None
    """Mean score, in the scorer's unit; None when nothing was scored."""
    interval: Interval
    """95 % bootstrap interval of ``value``, clustered."""
    sd: float | None = None
    """Standard deviation over the runs of a judge or over raters (ddof=1); None for what was scored once."""
    runs: int = 1
    """How many runs or raters it is the mean of."""


def _one(value: object) -> tuple[str, ...]:
    text = str(value).strip() if value is not None else ""
    return (text or NOT_GIVEN,)


def _question_types(prediction: Prediction) -> tuple[str, ...]:
    types = [part.strip() for part in (prediction.question_type or "").split(",")]
    return tuple(dict.fromkeys(kind for kind in types if kind)) or (NOT_GIVEN,)


AXES: dict[str, Callable[[Prediction], tuple[str, ...]]] = {
    "overall": lambda prediction: ("all",),
    "dataset": lambda prediction: _one(prediction.dataset),
    "answer_type": lambda prediction: _one(answer_type(prediction)),
    "question_type": _question_types,
    "organ": lambda prediction: _one(prediction.organ),
    "phrase_type": lambda prediction: _one(prediction.phrase_type),
    "modality": lambda prediction: _one(prediction.metadata.get("modality")),
    **LEAK_AXES,
}
"""Name of an axis -> the groups that a prediction belongs to on it; data sets declare further ones."""


def axes_of(predictions: Iterable[Prediction]) -> list[str]:
    """What these predictions can be broken down by: ``AXES``, and the fields that their data sets declare."""
    datasets = dict.fromkeys(prediction.dataset for prediction in predictions)
    return list(dict.fromkeys([*AXES, *(field.name for dataset in datasets for field in describe(dataset).fields)]))


def check_axes(asked: Iterable[str], predictions: Sequence[Prediction]) -> None:
    """Refuse what predictions cannot be broken down by.

    Raises:
        ConfigError: names all of it, and the near axes.
    """
    known = axes_of(predictions)
    wrong = [f"{axis!r}: {near_names(axis, known)}" for axis in asked if axis not in known]
    if wrong:
        raise ConfigError("cannot break down by that", wrong)


def groups_of(prediction: Prediction, axis: str) -> tuple[str, ...]:
    """The groups of an axis that a prediction belongs to; ``not given`` where it has no value."""
    return AXES[axis](prediction) if axis in AXES else _one(prediction.metadata.get(axis))


def says_nothing(groups: Iterable[str]) -> bool:
    """Whether an axis has no value for anything: it is not worth a plot."""
    return set(groups) <= {NOT_GIVEN, NOT_EXAMINED}


def places_of_groups(predictions: Sequence[Prediction], axis: str) -> dict[str, list[int]]:
    """Group -> where its predictions stand; in the data set's declared order, else alphabetical, ``not given`` last.

    A prediction may stand in several groups.
    """
    places: dict[str, list[int]] = {}
    for place, prediction in enumerate(predictions):
        for group in groups_of(prediction, axis):
            places.setdefault(group, []).append(place)
    spec = describe(predictions[0].dataset)
    declared = ORDER.get(axis)

    def place_of(name: str) -> int:
        return declared.index(name) if declared else spec.place_of(axis, name)

    ordered = sorted(places, key=lambda name: (name == NOT_GIVEN, place_of(name), name))
    return {group: places[group] for group in ordered}


CLUSTERED_BY = "patient, else study, else image"
"""Of ``cluster_of``, to say beside figures."""


def cluster_of(prediction: Prediction) -> Hashable:
    """What makes two rows dependent: their patient (``subject``), study or images, the first that the data name."""
    metadata = prediction.metadata
    return prediction.dataset, metadata.get("subject", metadata.get("study", prediction.images))


def break_down(
    predictions: Sequence[Prediction], scores: Sequence[Score], axis: str = "overall", factor: float = 1.0
) -> list[GroupMean]:
    """One cell for each group of ``axis``, in the order of ``places_of_groups``.

    Args:
        scores: one for each prediction, all of one scorer.
        axis: one of ``axes_of(predictions)``.
        factor: from the scorer's unit to that of the means, 100 for percent.

    Raises:
        ConfigError: no such axis.
        DataError: predictions and scores do not belong together.
    """
    check_axes([axis], predictions)
    rows = [
        (cluster_of(prediction), None if score.value is None else factor * score.value)
        for prediction, score in pair_scores(predictions, scores)
    ]
    return [
        _cell(group, label_of(predictions[places[0]].dataset, axis, group), [rows[place] for place in places])
        for group, places in places_of_groups(predictions, axis).items()
    ]


def group_means(
    predictions: Sequence[Prediction], scores: Sequence[Score], axis: str, factor: float = 1.0
) -> dict[str, float | None]:
    """The means of ``break_down`` alone, by group."""
    pairs = pair_scores(predictions, scores)
    found: dict[str, float | None] = {}
    for group, places in places_of_groups(predictions, axis).items():
        values = [factor * score.value for _, score in (pairs[place] for place in places) if score.value is not None]
        found[group] = mean(values) if values else None
    return found


def label_of(dataset: str, axis: str, group: str) -> str:
    """A group with what its data set says that it stands for: ``PRES (presence)``; ``with framed twin``."""
    if axis in FINDINGS:
        return {YES: f"with {FINDINGS[axis][1]}", NO: f"without {FINDINGS[axis][1]}"}.get(group, group)
    name = describe(dataset).long_name(axis, group)
    return group if name.lower() == group.lower() else f"{group} ({name})"


def spelt_out(dataset: str, axis: str, group: str) -> str:
    """A group by its long name alone, as its data set declares it: ``presence``, ``abdomen``; for prose and pages."""
    if axis in FINDINGS:
        return label_of(dataset, axis, group)
    name = describe(dataset).long_name(axis, group)
    return name.lower() if name in (OPEN, CLOSED) else name


def _cell(group: str, label: str, rows: Sequence[tuple[Hashable, float | None]]) -> GroupMean:
    scored = [(cluster, value) for cluster, value in rows if value is not None]
    unscored = len(rows) - len(scored)
    if not scored:
        return GroupMean(group, label, 0, unscored, None, Interval(None, None, "nothing was scored"))
    clusters, values = [cluster for cluster, _ in scored], [value for _, value in scored]
    return GroupMean(group, label, len(scored), unscored, mean(values), cluster_interval(values, clusters))
