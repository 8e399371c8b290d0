"""What a scorer is, declared once beside its function; tables, plots, pages and comparisons read it from there.

A score file carries names only. What a name means is looked up: in what was recorded when it was scored, among the
declared scorers, and last (files written before anything was recorded) by how the declared names begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Callable

from ..errors import DataError
from ..records import CLOSED, OPEN, Prediction, Score
from ..requirements import Need
from .known import Known

ACCURACY, MEAN, LEVELS = "accuracy", "mean", "levels"
"""Kinds of scorers: right or wrong; a value whose mean counts; levels of a rubric, counted and averaged."""
GROUPS: dict[str, str | None] = {"open": OPEN, "closed": CLOSED, "overall": None}
"""Columns of a table of answers -> ``answer_type`` of the questions in it; None: all."""
RUN, RATER = "run", "rater"
"""What there are several of: runs of a judge, or people."""


@dataclass(frozen=True)
class Measured:
    """What a scorer found on one test set."""

    scores: Mapping[str, Sequence[Score]]
    """Name that the scores carry -> one score per prediction."""
    figures: Mapping[str, Any]
    """Figures of the whole test set by group or metric, as ``metrics.json`` holds them, with the ``version``."""


@dataclass(frozen=True)
class MetricSpec:
    """One quantity: its range, its unit and what it is called."""

    name: str
    """Of a scorer's metric the last part of the name that its scores carry: ``cider`` of ``lexical/coco/cider``."""
    title: str
    """In words."""
    low: float = 0.0
    """Lower end of the range of single scores."""
    high: float = 1.0
    """Upper end."""
    unit: str = ""
    """``%`` with a range of 0 to 1: shown times 100. Any other unit is shown behind the value; empty: none."""
    higher_is_better: bool = True
    """False for distances and error rates."""
    pooled: bool = False
    """A figure of the whole data set that is no mean over its samples (BLEU), so without an interval of the mean."""
    relative: bool = False
    """A score depends on the set's other answers or references too (CIDEr), so no answer has one of its own."""

    @property
    def factor(self) -> float:
        """What a score is multiplied by to be shown in ``unit``."""
        return 100.0 if self.unit == "%" and self.high == 1.0 else 1.0

    @property
    def shown_range(self) -> tuple[float, float]:
        """The range in the unit that is shown: 0 to 100 for percent."""
        return self.factor * self.low, self.factor * self.high

    def metric_to_json(self) -> dict[str, Any]:
        """Plain dictionary, as ``metrics.json`` records it."""
        return {
            "title": self.title,
            "range": [self.low, self.high],
            "unit": self.unit,
            "higher_is_better": self.higher_is_better,
            **({"pooled": True} if self.pooled else {}),
        }


@dataclass(frozen=True)
class ScoredColumn:
    """One column of the table that compares runs under a scorer."""

    name: str
    """``overall``, ``cider``, ``level 3``, ..."""
    metric: MetricSpec
    """Range and unit of its values."""
    scores: str
    """Name of the scores it is made of."""
    answer_type: str | None = None
    """Only questions of this type; None: all."""
    level: int | None = None
    """It counts the samples at this level; None: it is no count."""
    figure: str = ""
    """Key of its figure in ``metrics.json``."""
    is_mean_level: bool = False
    """It is the mean of a rubric's levels: WASM."""

    @property
    def unit(self) -> str:
        """Of the values shown; a count has none."""
        return self.metric.unit if self.level is None else ""

    @property
    def digits(self) -> int:
        """Behind the decimal point."""
        return 1 if self.metric.unit == "%" else 2 if self.is_mean_level else 3


@dataclass(frozen=True)
class ScorerSpec(MetricSpec):
    """One scorer.

    ``name`` is what its scores carry (before the metric, where it has several), with the variant behind a ``/``.
    """

    function: Callable[[Sequence[Prediction]], list[Score]] | None = None
    """A score for every prediction, in their order (metrics one after the other); None for judges and people."""
    measure: Callable[..., Measured] | None = None
    """In place of ``function``, where the figures of the whole set do not follow from its scores."""
    version: str = "1"
    """Changes whenever the same input could score differently."""
    kind: str = MEAN
    """``ACCURACY``, ``MEAN`` or ``LEVELS``."""
    columns: tuple[str, ...] = tuple(GROUPS)
    """Of the table that compares runs: names of ``GROUPS``, names of metrics, or ``level N`` and last what their mean
    is called (``wasm``). Intervals and tests are about the last."""
    metrics: tuple[MetricSpec, ...] = ()
    """Where its scores carry ``<name>/<metric>``."""
    levels: tuple[int, ...] = ()
    """Values of a rubric, in order."""
    repeated: str = ""
    """``RUN`` or ``RATER`` where there may be several score files; empty: scored once."""
    tasks: tuple[str, ...] = ("vqa",)
    """``Sample.task`` it is meant for."""
    short: str = ""
    """Shorter name that users may write: ``exact_match`` for ``exact_match/pefomed``."""
    paper: str = ""
    """What the paper's tables call it (``paper_figures.py``); empty: the paper has no such figures."""
    needs: tuple[Need, ...] = ()
    """Packages without which it scores nothing; checked before a run starts."""
    options: tuple[str, ...] = ()
    """What ``measure`` must be given besides predictions: ``vocabulary``."""
    compares_words: bool = False
    """It splits texts into words at blanks, which Chinese or Japanese do not have: such texts get a warning."""
    rubric: str = ""
    """Digest of the rubric, for judges and people."""
    summary_of: str = ""
    """Name of the scorer whose scores it sums up another way; it has none of its own."""
    known: tuple[Known, ...] = ()
    """What it must give to answers of known worth (``pefomed audit``); none: it cannot be audited."""
    unasked: str = ""
    """Why it is audited only where it is named; empty: it always is."""
    names_begin: bool = field(default=False, repr=False)
    """It stands for all names that begin with its own, in files that do not say what they hold."""

    def __post_init__(self) -> None:
        """
        Raises:
            ValueError: the declaration contradicts itself; all of it in one message.
        """
        wrong = [
            f"{metric.name}: the range {metric.low} to {metric.high} is none"
            for metric in (self, *self.metrics)
            if not metric.low < metric.high
        ]
        if self.kind not in (ACCURACY, MEAN, LEVELS):
            wrong.append(f"kind {self.kind!r} is none of {ACCURACY}, {MEAN}, {LEVELS}")
        if self.kind == ACCURACY and (self.low, self.high) != (0.0, 1.0):
            wrong.append("right or wrong is 1 or 0, so the range is 0 to 1")
        if self.function is not None and any(metric.pooled for metric in (self, *self.metrics)):
            wrong.append("a pooled figure does not follow from scores; give measure in place of function")
        wrong += [f"no column {name!r}" for name in self.columns if self._find_column(name) is None]
        if wrong or not self.columns:
            raise ValueError(f"scorer {self.name!r}: {'; '.join(wrong) or 'no columns'}")

    @property
    def measured(self) -> dict[str, MetricSpec]:
        """Name that scores carry -> what they measure."""
        if not self.metrics:
            return {self.name: self}
        return {f"{self.name}/{metric.name}": metric for metric in self.metrics}

    @property
    def is_rating(self) -> bool:
        """Whether a judge or people gave the scores."""
        return bool(self.repeated)

    def column(self, name: str) -> ScoredColumn:
        """One of ``columns``. Raises KeyError when it has no such column."""
        found = self._find_column(name)
        if found is None:
            raise KeyError(name)
        return found

    def _find_column(self, name: str) -> ScoredColumn | None:
        metric = next((metric for metric in self.metrics if metric.name == name), None)
        if metric is not None:
            return ScoredColumn(name, metric, f"{self.name}/{name}", figure=name)
        level = next((level for level in self.levels if name == f"level {level}"), None)
        if level is not None:
            return ScoredColumn(name, self, self.name, level=level, figure=name)
        if self.levels and name == self.columns[-1]:
            return ScoredColumn(name, self, self.name, figure="overall", is_mean_level=True)
        if name in GROUPS and not self.metrics:
            return ScoredColumn(name, self, self.name, GROUPS[name], figure=name)
        return None

    def measured_by(self, figure: str) -> MetricSpec:
        """What a figure of ``metrics.json`` measures, by its key there; a metric's own, else the scorer's."""
        return next((metric for metric in self.metrics if metric.name == figure), self)

    def to_json(self) -> dict[str, Any]:
        """What ``metrics.json`` records under ``scorers``; ``read_spec`` reads it back."""
        optional = {
            "levels": list(self.levels),
            "repeated": self.repeated,
            "paper": self.paper,
            "rubric": self.rubric,
            "summary_of": self.summary_of,
            "metrics": {metric.name: metric.metric_to_json() for metric in self.metrics},
        }
        return {
            **self.metric_to_json(),
            "version": self.version,
            "kind": self.kind,
            "columns": list(self.columns),
            "tasks": list(self.tasks),
            **{key: value for key, value in optional.items() if value},
        }


def read_spec(name: str, record: Any, where: str = "metrics.json") -> ScorerSpec:
    """A scorer as ``to_json`` recorded it.

    Raises:
        DataError: the record is damaged; ``where`` is named.
    """
    try:
        return ScorerSpec(
            **_metric_fields(name, record),
            version=str(record["version"]),
            kind=str(record["kind"]),
            columns=tuple(map(str, record["columns"])),
            metrics=tuple(MetricSpec(**_metric_fields(key, found)) for key, found in record.get("metrics", {}).items()),
            levels=tuple(map(int, record.get("levels", ()))),
            tasks=tuple(map(str, record["tasks"])),
            repeated=str(record.get("repeated", "")),
            paper=str(record.get("paper", "")),
            rubric=str(record.get("rubric", "")),
            summary_of=str(record.get("summary_of", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{where}: what it says of scorer {name!r} is damaged ({error!r}); score again") from error


def _metric_fields(name: str, record: Mapping[str, Any]) -> dict[str, Any]:
    low, high = record["range"]
    return {
        "name": name,
        "title": str(record["title"]),
        "low": float(low),
        "high": float(high),
        "unit": str(record["unit"]),
        "higher_is_better": bool(record["higher_is_better"]),
        "pooled": bool(record.get("pooled", False)),
    }


def resolve_name(name: str, declared: Iterable[ScorerSpec]) -> ScorerSpec | None:
    """The declared scorer that a name of scores or figures belongs to; None where there is none.

    For files that do not record their scorers: a declared name, that of a metric, or the longest beginning of it that
    a judge, people or WASM declare.
    """
    known = list(declared)
    for spec in known:
        if name == spec.name or name in spec.measured:
            return spec
    begun = [spec for spec in known if spec.names_begin and name.startswith(spec.name)]
    if not begun:
        return None
    found = max(begun, key=lambda spec: len(spec.name))
    summed_up = name[len(found.name) :] if found.summary_of else ""
    return replace(found, name=name, summary_of=summed_up, names_begin=False)
