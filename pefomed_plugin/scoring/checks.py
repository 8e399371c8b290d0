"""Are these predictions what they should be, and of the data set they claim? Reads no files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import DataError, quoted
from ..json_fields import kind_of
from ..records import Prediction, Sample
from ..scoring.pairing import require_predictions

_UNSPLIT = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai and Lao, Burmese, Khmer; Japanese; Chinese."""
_TEXTS = ("id", "dataset", "split", "task", "answer")
_OPTIONAL_TEXTS = ("question", "prediction", "answer_type", "question_type", "organ", "phrase_type")


def check_predictions(predictions: Sequence[Prediction], *, references: bool = True) -> None:
    """Texts that are texts, references that are there, ids that occur once, one data set.

    Args:
        references: whether each must have one; without, it can be shown, not scored.

    Raises:
        DataError: with one line for each record that is wrong.
    """
    require_predictions(predictions)
    problems: list[str] = []
    for prediction in predictions:
        kinds = {name: kind_of(getattr(prediction, name)) for name in (*_TEXTS, *_OPTIONAL_TEXTS)}
        who = quoted(prediction.id, bare=True)
        problems += [
            f"{who}: {name} is {kinds[name]}, not a text; write it in quotation marks"
            for name in _TEXTS
            if kinds[name] != "a text"
        ]
        problems += [
            f"{who}: {name} is {kinds[name]}, neither a text nor null"
            for name in _OPTIONAL_TEXTS
            if kinds[name] not in ("a text", "null")
        ]
    problems += [
        f"{prediction.id}: no reference answer to score against; pefomed predict --questions takes a column answer"
        for prediction in predictions
        if references and isinstance(prediction.answer, str) and not prediction.answer.strip()
    ]
    problems += [
        f"id {key!r} occurs {count} times; keep one of them"
        for key, count in Counter(prediction.id for prediction in predictions).items()
        if count > 1
    ]
    if problems:
        raise DataError("the predictions cannot be scored", problems)
    sets = Counter(f"{prediction.dataset}, split {prediction.split}" for prediction in predictions)
    if len(sets) > 1:
        raise DataError(
            f"the predictions are of {len(sets)} test sets; score each in a file of its own",
            [f"{key}: {count:,} predictions" for key, count in sorted(sets.items())],
        )


def unsplit_share(texts: Iterable[str]) -> float:
    """Share of the letters that are of scripts without blanks between words, 0 to 1."""
    letters = [letter for text in texts for letter in text if letter.isalpha()]
    return len(_UNSPLIT.findall("".join(letters))) / max(len(letters), 1)


def check_references(predictions: Sequence[Prediction], samples: Sequence[Sample], of: str) -> None:
    """The predictions answer exactly ``samples``, with the same questions and references.

    Raises:
        DataError: unknown or missing ids, or references of another version; all of them in one message. ``of`` names
            the samples in it.
    """
    answered = {prediction.id: prediction for prediction in predictions}
    known = {sample.id: sample for sample in samples}
    problems = [
        f"{key}: {name} is another one in {of}{_first_difference(getattr(answered[key], name), getattr(sample, name))}"
        for key, sample in known.items()
        if key in answered
        for name in ("images", "question", "answer")
        if getattr(answered[key], name) != getattr(sample, name)
    ]
    problems += [f"{key}: not in {of}" for key in answered if key not in known]
    problems += [f"{key}: in {of}, but not answered" for key in known if key not in answered]
    if problems:
        raise DataError(f"the predictions are not of {of}; use the files of one version", problems)


def _first_difference(here: Any, there: Any) -> str:
    """Where two texts part; what they say is nobody's but the user's."""
    if not isinstance(here, str) or not isinstance(there, str):
        return f": {here!r} here, {there!r} there" if isinstance(here, tuple) else ""
    same = next((place for place, (one, other) in enumerate(zip(here, there)) if one != other), None)
    place = min(len(here), len(there)) if same is None else same
    return f", from character {place + 1} on ({len(here):,} characters here, {len(there):,} there)"
