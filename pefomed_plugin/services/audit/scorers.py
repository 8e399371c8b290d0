"""Each scorer tried with answers of known worth: what it declares that it gives, beside what it gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import PefomedError, one_line
from ...records import Prediction, Sample
from ...scoring.files import measure
from ...scoring.known import Known
from ...scoring.pairing import answer_type
from ...scoring.probes import PROBES
from ...scoring.spec import GROUPS, ScorerSpec

RIGHT, OFF, NOT_RUN = "as declared", "OFF", "not run"
_SLACK = 1e-6
"""Of the range, by which a figure may leave its bounds: sums of floating-point values do."""


@dataclass(frozen=True)
class Finding:
    """One figure of one scorer for one probe."""

    dataset: str
    scorer: str
    probe: str
    figure: str
    """Key of ``metrics.json``: ``overall``, ``closed``, ``cider``; empty where it was not run."""
    verdict: str
    """``RIGHT``, ``OFF`` or ``NOT_RUN``."""
    value: float | None = None
    """What came, in the unit that is shown."""
    low: float | None = None
    """What was declared: at least, in the same unit."""
    high: float | None = None
    """At most."""
    below: str = ""
    """Name of the probe that it must be lower than."""
    unit: str = ""
    reason: str = ""
    """Why it is off or was not run, where the figures do not say it."""


def audit_scorer(spec: ScorerSpec, answers: Mapping[str, Sequence[Prediction]], **options: Any) -> list[Finding]:
    """Every figure that ``spec`` declares for the probes of a test set.

    Args:
        answers: name of a probe -> its predictions of all samples; a probe that is not there says nothing here.
        options: what ``measure`` of the scorer must be given (``vocabulary``).
    """
    found: list[Finding] = []
    measured: dict[str, Mapping[str, Any]] = {}
    for known in spec.known:
        predictions = answers.get(known.probe)
        if not predictions:
            continue
        if known.probe not in measured:
            measured[known.probe] = _measure(spec, predictions, options)
        found += _check(spec, known, predictions, measured, answers)
    return found


def probe_answers(samples: Sequence[Sample]) -> dict[str, list[Prediction]]:
    """Every probe that has something to say about a test set, by its name."""
    wanted = [probe for probe in PROBES.values() if samples and samples[0].task in probe.tasks]
    found = {probe.name: probe.predictions(samples) for probe in wanted}
    return {name: predictions for name, predictions in found.items() if predictions}


def _measure(spec: ScorerSpec, predictions: Sequence[Prediction], options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Figures with ``scored``: name of scores -> ids that have a value; or ``failed`` with the reason."""
    try:
        found = measure(spec, predictions, **options)
    except Exception as error:  # whatever a foreign scorer does with an empty or a strange answer
        told = str(error) if isinstance(error, PefomedError) else f"{type(error).__name__}: {one_line(error)}"
        return {"failed": told}
    scored = {name: {s.sample_id for s in scores if s.value is not None} for name, scores in found.scores.items()}
    return {**found.figures, "scored": scored}


def _check(
    spec: ScorerSpec,
    known: Known,
    predictions: Sequence[Prediction],
    measured: Mapping[str, Mapping[str, Any]],
    answers: Mapping[str, Sequence[Prediction]],
) -> list[Finding]:
    dataset = predictions[0].dataset
    figures = measured[known.probe]
    if "failed" in figures:
        return [Finding(dataset, spec.name, known.probe, "", OFF, reason=figures["failed"])]
    found = []
    for key in known.figures or _keys(spec, figures):
        figure = figures.get(key)
        if not isinstance(figure, Mapping) or figure.get("value") is None:
            told = figure.get("reason", "no value") if isinstance(figure, Mapping) else "no such figure"
            found.append(Finding(dataset, spec.name, known.probe, key, NOT_RUN, reason=str(told)))
            continue
        limit = None
        if known.below:
            if _same_texts(predictions, answers.get(known.below, ())) or known.below not in measured:
                continue
            limit = (measured[known.below].get(key) or {}).get("value")
        found.append(_judge(spec, known, key, figure, _about(spec, key, predictions, figures), limit))
    return found


def _judge(
    spec: ScorerSpec,
    known: Known,
    key: str,
    figure: Mapping[str, Any],
    about: list[Prediction],
    limit: float | None,
) -> Finding:
    """One figure beside its bounds; ``limit`` is the value that it must be below."""
    metric = spec.measured_by(key)
    slack = _SLACK * metric.factor * (metric.high - metric.low)
    low, high = (metric.factor * bound for bound in known.bounds(about))
    value, reason = float(figure["value"]), ""
    is_right = low - slack <= value <= high + slack  # false for NaN
    if limit is not None and not value < limit - slack:
        is_right, reason = False, f"not below {known.below!r}, {limit:.4g}"
    if figure.get("n") is not None and figure["n"] != len(about):
        is_right, reason = False, f"a figure of {figure['n']:,} of {len(about):,} answers"
    verdict = RIGHT if is_right else OFF
    where = (about[0].dataset, spec.name, known.probe, key, verdict)
    return Finding(*where, value, low, high, known.below, metric.unit, reason)


def _keys(spec: ScorerSpec, figures: Mapping[str, Any]) -> list[str]:
    """Figures that can be checked: of each metric, or of all answers and of the groups that there are."""
    if spec.metrics:
        return [metric.name for metric in spec.metrics]
    whole = ["overall"] if "overall" in (*spec.columns, *figures) else []
    return [*whole, *(group for group in GROUPS if group in figures and group != "overall")]


def _about(
    spec: ScorerSpec, key: str, predictions: Sequence[Prediction], figures: Mapping[str, Any]
) -> list[Prediction]:
    """The predictions that a figure is about: of its group, and scored."""
    name = f"{spec.name}/{key}" if spec.metrics else spec.name
    kind = None if spec.metrics else GROUPS.get(key)
    scored = figures["scored"].get(name)
    pooled = spec.measured_by(key).pooled
    return [
        prediction
        for prediction in predictions
        if (kind is None or answer_type(prediction) == kind) and (pooled or scored is None or prediction.id in scored)
    ]


def _same_texts(one: Sequence[Prediction], other: Sequence[Prediction]) -> bool:
    return [found.prediction for found in one] == [found.prediction for found in other]
