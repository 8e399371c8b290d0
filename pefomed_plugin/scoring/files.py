"""Scores on the disk: ``scores/<scorer>.jsonl`` and ``metrics.json`` beside the predictions, written and read back.

Everything is computed before anything is written, so that a mistake leaves the files of before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..atomic import as_one, settle
from ..errors import DataError, one_line
from ..readers.textfiles import read_json_lines
from ..records import Prediction, Score
from ..storage import share_with, write_json, write_records
from . import find_scorer, specs_of
from .checks import check_predictions, unsplit_share
from .floors import floor_folders, read_floor_answers, strongest_floors
from .metrics_file import FLOORS, METRICS, axes_to_keep, describe, earlier_metrics, merge_metrics, read_metrics
from .spec import Measured, ScorerSpec
from .summary import summarise, summarise_by

_MARKS = frozenset(
    "\u060c\u061b\u061f\u06d4\u0964\u0965\u0589\u1362\u3001\u3002\uff0c\uff0e\uff01\uff1f\uff1a\uff1b\uff61\uff64"
)
"""Full stops, commas and the like of Arabic, Urdu, Hindi, Armenian, Amharic, and of full width."""
_MOST_UNSPLIT = 0.05
"""Share of letters in scripts without blanks above which figures of words need a warning."""
_SLACK = 1e-6
"""By which a score may leave its range: sums of floating-point values do."""


def write_scores(
    predictions: Sequence[Prediction],
    scorers: Iterable[str],
    folder: Path,
    facts: Mapping[str, Any],
    axes: Sequence[str] = (),
    **options: Any,
) -> dict[str, Any]:
    """Score predictions and write ``scores/*.jsonl`` and ``metrics.json`` into ``folder``.

    What earlier scorers wrote there stays. Floors that lie in the folder are scored with the answers. ``facts`` go into
    the metrics as they are; ``options`` are given to the scorers that declare them (``vocabulary`` of
    ``lexical/r2gen60``). The groups of ``axes``, and of those that a scorer was broken down by before, get figures of
    their own.

    Returns:
        The metrics as written.

    Raises:
        ConfigError: no such scorer, or a package it needs is missing.
        DataError: the predictions cannot be scored, or the folder holds the metrics of other predictions.
    """
    check_predictions(predictions)
    path = Path(folder) / METRICS
    specs = [find_scorer(name) for name in scorers]
    description = describe(predictions)
    earlier_metrics(path, description)  # what cannot be added to is refused before anything is computed
    floors = read_floor_answers(folder, predictions)
    measured = {spec.name: measure(spec, predictions, **options) for spec in specs}
    for name, answers in floors.items():
        write_scores(answers, [spec.name for spec in specs], floor_folders(folder)[name], {}, axes, **options)
    before = earlier_metrics(path, description)  # another command may have added to it meanwhile
    figures = {}
    for spec in specs:
        kept, found = axes_to_keep(before, spec, predictions, axes), measured[spec.name]
        figures[spec.name] = {**found.figures, **summarise_by(spec, predictions, found.scores, kept)}
    metrics = merge_metrics(
        {**before, **facts},
        predictions,
        {
            "scores": figures,
            "scorers": {spec.name: spec.to_json() for spec in specs},
            **({FLOORS: strongest_floors(folder, specs)} if floors else {}),
        },
    )
    with as_one(folder):
        for found in measured.values():
            for name, scores in found.scores.items():
                write_records(score_file(folder, name), scores)
        write_json(path, metrics)
    return metrics


def measure(spec: ScorerSpec, predictions: Sequence[Prediction], **options: Any) -> Measured:
    """What a scorer finds on one test set.

    Raises:
        ConfigError: a package that it needs is missing.
        DataError: the predictions cannot be scored, or the scorer does not keep to what it declares.
    """
    if spec.measure is not None:
        found = spec.measure(predictions, **{key: options[key] for key in spec.options if key in options})
        _check_scores(spec, predictions, [score for scores in found.scores.values() for score in scores])
        return _with_warning(spec, predictions, Measured(found.scores, _with_units(spec, found.figures)))
    if spec.function is None:
        raise DataError(f"{spec.name} is given by judges or people; no function computes it")
    scores = spec.function(predictions)
    _check_scores(spec, predictions, scores)
    by_name = {name: [score for score in scores if score.scorer == name] for name in spec.measured}
    figures = {"version": scores[0].version, **summarise(spec, predictions, scores)}
    return _with_warning(spec, predictions, Measured(by_name, figures))


def warnings_of(metrics: Mapping[str, Any], scorers: Iterable[str]) -> list[str]:
    """What must be said beside the figures of these scorers, a line each."""
    names = [find_scorer(scorer).name for scorer in scorers]
    return [f"{name}: {metrics['scores'][name]['warning']}" for name in names if "warning" in metrics["scores"][name]]


def _with_units(spec: ScorerSpec, figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures that a scorer makes itself, each with the declared unit."""
    units = {group: spec.measured_by(group).unit for group in figures}
    return {
        group: {**figure, "unit": units[group]} if isinstance(figure, Mapping) and units[group] else figure
        for group, figure in figures.items()
    }


def _with_warning(spec: ScorerSpec, predictions: Sequence[Prediction], found: Measured) -> Measured:
    if not spec.compares_words:
        return found
    texts = [text for row in predictions for text in (row.answer, row.prediction or "")]
    share = unsplit_share(texts)
    marked = sum(not _MARKS.isdisjoint(text) for text in texts)
    if share >= _MOST_UNSPLIT:
        warning = (
            f"{share:.0%} of the letters are of scripts that are written without blanks between words (Chinese, "
            "Japanese, Thai); whole phrases count as one word, and the figures say little"
        )
    elif marked >= _MOST_UNSPLIT * len(texts):
        marks = " ".join(sorted(_MARKS.intersection("".join(texts))))
        warning = (
            f"{marked:,} of {len(texts):,} texts hold punctuation ({marks}) that is not dropped as that of English is: "
            "it counts as a word, or as part of one, and texts with nothing else in common agree by it"
        )
    else:
        return found
    return Measured(found.scores, {**found.figures, "warning": warning})


def _check_scores(spec: ScorerSpec, predictions: Sequence[Prediction], scores: Sequence[Score]) -> None:
    """A scorer of another package can be wrong too: names and values must be those that it declares.

    Raises:
        DataError: they are not; names the scores.
    """
    metrics = spec.measured
    problems = [
        f"{score.sample_id}: a score of {score.scorer!r}, which it does not declare"
        for score in scores
        if score.scorer not in metrics
    ]
    for score in scores:
        metric = metrics.get(score.scorer)
        if metric is None or score.value is None:
            continue
        is_number = isinstance(score.value, (int, float))
        if not is_number or not metric.low - _SLACK <= score.value <= metric.high + _SLACK:  # NaN is neither
            problems.append(
                f"{score.sample_id}: {score.value!r} of {score.scorer} is outside {metric.low:g} to {metric.high:g}"
            )
    if spec.function is not None and len(scores) != len(predictions) * len(metrics):
        problems.append(f"{len(scores)} scores of {len(predictions)} predictions; each needs one, None if not scored")
    if problems:
        raise DataError(f"scorer {spec.name} does not keep to what it declares; tell its author", problems)


def score_file(folder: Path, scorer: str) -> Path:
    """Where the scores of one scorer lie."""
    return Path(folder) / "scores" / (scorer.replace("/", "-") + ".jsonl")


def read_scores(path: Path) -> list[Score]:
    """Scores of one file.

    Raises:
        DataError: a line is no score, or its value is not a finite number; names the lines.
    """
    settle(Path(path).parent.parent)
    scores: list[Score] = []
    problems: list[str] = []
    before: Any = {}
    for number, record in read_json_lines(path, problems):
        before = share_with(before, record)
        try:
            scores.append(Score.from_json(before))
        except ValueError as error:
            problems.append(f"{path.name}, line {number}: {one_line(error, None)}; score these predictions again")
    if problems:
        raise DataError(f"{path} is not a file of scores", problems)
    return scores


def read_specs(folder: Path, names: Iterable[str]) -> dict[str, ScorerSpec]:
    """What names of scores in ``folder`` mean, as recorded there or declared.

    Raises:
        DataError: ``metrics.json`` is damaged, or no scorer is declared under a name.
    """
    settle(folder)
    path = Path(folder) / METRICS
    metrics = read_metrics(path) if path.is_file() else {}
    return specs_of(names, metrics.get("scorers", {}), str(folder))
