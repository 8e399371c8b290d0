"""Two models' answers side by side: who is compared on what, and what raters preferred, as ``preferences.jsonl``.

A rater sees the answers as A and B in an order that is drawn for every item and rater; each line says which it was.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, DataError
from ...input_files import read_bytes
from ...json_fields import wrong_record
from ...json_text import JsonFault, parse_json
from ...records import Prediction
from ...rubrics import CANNOT_JUDGE, MEAN, Level, Rubric, built_in_rubric
from ...scoring.breakdown import cluster_of
from ...scoring.intervals import number_clusters
from ...storage import SCHEMA, write_text
from .plan import Pair, RatingPlan

if TYPE_CHECKING:
    from .study import Imported

PREFERENCES = "preferences.jsonl"
TIE, SAME = "tie", "same answers, not shown"


@dataclass(frozen=True)
class Preference:
    """What one rater preferred on one item; without a rater, an item that both models answered the same."""

    sample_id: str
    cluster: int
    """What items share that are not independent: the number of what ``cluster_of`` gives."""
    rater: str | None
    round: int | None
    first: str
    """The model whose answer was shown as A."""
    second: str
    """As B."""
    preferred: str | None
    """A model's name, ``tie``; None where there is no verdict."""
    reason: str | None
    """Why not, or why nobody was asked."""
    comment: str = ""
    origin: str = ""
    """The page, or the name of a sheet."""
    at: str = ""


def preference_rubric(task: str) -> Rubric:
    """What is chosen: the text shown first (2), neither (1), the second (0)."""
    kind = built_in_rubric(task).task
    what = "answer" if kind == "vqa" else "report"
    return Rubric(
        "preference",
        kind,
        (
            Level(0, "B is better", f"{what.capitalize()} B is closer to the reference."),
            Level(1, "tie", "Neither is better than the other."),
            Level(2, "A is better", f"{what.capitalize()} A is closer to the reference."),
        ),
        MEAN,
        "preference",
    )


@dataclass(frozen=True)
class Pairs:
    """Two models' answers to the same questions."""

    predictions: list[Prediction]
    """The first model's with the second's beside them."""
    same: tuple[str, ...]
    """Where both said the same, white space aside."""
    missing: int
    """Left out: one of the two did not answer."""


def pair_up(first: Sequence[Prediction], second: Sequence[Prediction], place: Path) -> Pairs:
    """Join two models' predictions by sample.

    Args:
        place: file of the second, for messages.

    Raises:
        DataError: they are not about the same samples, or these have other questions or references.
    """
    others = {prediction.id: prediction for prediction in second}
    problems = [f"{each.id}: not in {place}" for each in first if each.id not in others]
    known = {each.id for each in first}
    problems += [f"{each.id}: only in {place}" for each in second if each.id not in known]
    problems += [
        f"{each.id}: another question, reference or image in {place}"
        for each in first
        if each.id in others
        and (each.question, each.answer, each.images)
        != (others[each.id].question, others[each.id].answer, others[each.id].images)
    ]
    if problems:
        raise DataError(f"{place} is not about the same samples; give two models' answers to one test set", problems)
    answered = [each for each in first if each.prediction is not None and others[each.id].prediction is not None]
    pairs: list[Prediction] = [
        Pair(
            **{field.name: getattr(each, field.name) for field in fields(each)}, other=others[each.id].prediction or ""
        )
        for each in answered
    ]
    same = tuple(
        each.id for each in answered if (each.prediction or "").split() == (others[each.id].prediction or "").split()
    )
    return Pairs(pairs, same, len(first) - len(answered))


def model_names(first: Path, second: Path, labels: Sequence[str] = ()) -> tuple[str, str]:
    """Names of the two: ``labels``, or what differs first in the paths.

    Raises:
        ConfigError: not two labels, or the same, or a name that is a verdict.
    """
    if labels and len(labels) != 2:
        raise ConfigError("give --label twice, for PREDICTIONS and for --against, or not at all")
    parts = [path.resolve().with_suffix("").parts for path in (first, second)]
    differing = next((pair for pair in zip(*parts) if pair[0] != pair[1]), ("first", "second"))
    one, other = labels or differing
    if one == other or {one, other} & {TIE, ""}:
        raise ConfigError("the two models need two names; give --label NAME --label NAME")
    return one, other


def preferences_of(plan: RatingPlan, predictions: Sequence[Prediction], imported: Imported) -> list[Preference]:
    """Every rater's last word on every item they answered, and the items that nobody had to be asked about."""
    numbers = dict(zip((each.id for each in predictions), number_clusters(list(map(cluster_of, predictions)))))
    one, other = plan.models
    found = [
        Preference(sample_id, numbers[sample_id], None, None, one, other, TIE, SAME)
        for sample_id in plan.same
        if sample_id in numbers
    ]
    last = {
        (rater, sample_id, word.number): number
        for (rater, number, sample_id), words in imported.history.items()
        for word in words
    }
    for rater, said in imported.said.items():
        for sample_id, word in said.items():
            if sample_id not in numbers or not (word.is_answer or word.comment):
                continue
            number = last[rater, sample_id, word.number]
            first, second = (other, one) if plan.is_turned(rater, sample_id, number) else (one, other)
            preferred = None if word.rating is None else {2: first, 1: TIE, 0: second}[word.rating]
            reason = CANNOT_JUDGE if word.cannot else None if preferred else "only a comment"
            found.append(
                Preference(
                    sample_id,
                    numbers[sample_id],
                    rater,
                    number,
                    first,
                    second,
                    preferred,
                    reason,
                    word.comment,
                    word.origin,
                    word.at,
                )
            )
    return found


def write_preferences(path: Path, models: Sequence[str], preferences: Sequence[Preference]) -> None:
    """A line with the two models, then one a verdict; an earlier state of the same study gives way.

    Raises:
        DataError: the file holds verdicts of another study, or cannot be written.
    """
    _refuse_other_study(path, models, preferences)
    head: dict[str, Any] = {"schema": SCHEMA, "models": list(models)}
    lines = [json.dumps(each, ensure_ascii=False) for each in (head, *map(asdict, preferences))]
    write_text(path, "\n".join(lines) + "\n")


def _refuse_other_study(path: Path, models: Sequence[str], preferences: Sequence[Preference]) -> None:
    """Raises DataError where verdicts would be lost: of two other models, or of raters that this study has not."""
    if not path.exists():
        return
    try:
        before, earlier = read_preferences(path)
    except DataError:  # damaged: importing again is the remedy
        return
    raters = {each.rater for each in preferences}
    lost = sorted({each.rater for each in earlier if each.rater and each.rater not in raters})
    if tuple(models) != before or lost:
        what = f"of {before[0]} and {before[1]}" if tuple(models) != before else f"of {', '.join(lost)}"
        raise DataError(f"{path} holds preferences {what}, which this study has not; choose another --out")


def read_preferences(path: Path) -> tuple[tuple[str, str], list[Preference]]:
    """The models, and what was preferred.

    Args:
        path: the file, or the folder of a study that was imported.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = Path(path) / PREFERENCES if Path(path).is_dir() else Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such file; run pefomed rate import STUDY PREDICTIONS --against PREDICTIONS first")
    try:
        head, *rows = [parse_json(line) for line in read_bytes(path).decode("utf-8").splitlines() if line.strip()]
        models = tuple(head["models"])
        problems = [
            f"line {at}: {problem}" for at, row in enumerate(rows, 2) for problem in wrong_record(row, Preference)
        ]
        if problems or len(models) != 2:
            raise DataError(f"{path} holds no preferences of two models; import them again", problems)
        return (models[0], models[1]), [Preference(**row) for row in rows]
    except (JsonFault, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is damaged; import the preferences again") from error
