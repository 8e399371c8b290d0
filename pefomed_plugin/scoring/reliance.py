"""Do the answers rest on the image? What changes where another image, none, or the mirrored one is shown. Pure.

Left and right trade places in a mirrored image: an answer that names a side has to name the other one then, and an
answer to a question in which no side plays a part has to stay. Which questions these are follows from their words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import DataError
from ..records import Prediction
from ..text import NORMALISATIONS
from .breakdown import cluster_of
from .intervals import cluster_interval
from .pairing import mean

SHUFFLED, BLIND, MIRRORED = "shuffled", "blind", "mirrored"
"""What is shown in place of a question's own image: values of ``run.images``."""
VARIANTS = {
    SHUFFLED: "another image of the test set",
    BLIND: "no image, a uniform grey",
    MIRRORED: "its own image, left and right exchanged",
}
"""Value of ``run.images`` -> in words."""
ANSWER, QUESTION, NO_SIDE = "answer", "question", "none"
"""Where left or right is named: in the reference; in the question only; in neither."""
VERSION = "1"
SECTION = "reliance"
"""Of ``metrics.json``, and the folder of the answers beside it."""
_SIDES = re.compile(r"\b(left|right)\b|(\u5de6|\u53f3)", re.IGNORECASE)
_OTHER = {"left": "right", "right": "left", "\u5de6": "\u53f3", "\u53f3": "\u5de6"}
_normalise: Callable[[str], str] = NORMALISATIONS["pefomed"]


def names_side(text: str | None) -> bool:
    """Whether a text names left or right (English or Chinese)."""
    return bool(_SIDES.search(text or ""))


def exchange_sides(text: str) -> str:
    """The text with left and right exchanged; capitals stay at the beginning of a word."""

    def other(found: re.Match[str]) -> str:
        word = found.group(0)
        exchanged = _OTHER[word.lower()]
        return (
            exchanged.upper()
            if word.isupper() and len(word) > 1
            else (exchanged.capitalize() if word[0].isupper() else exchanged)
        )

    return _SIDES.sub(other, text)


@dataclass(frozen=True)
class Reliance:
    """What became of one answer; None where a variant was not asked."""

    right: bool
    """Whether the answer about its own image is the reference (exact match, normalised as in the paper)."""
    changed: Mapping[str, bool | None]
    """Variant -> whether another answer was given."""
    right_in: Mapping[str, bool | None]
    """Variant -> whether the reference was given all the same; of the mirrored image with its sides exchanged, and None
    where only the question names one: what is right then, nobody says."""
    side: str
    """``ANSWER``, ``QUESTION`` or ``NO_SIDE``."""
    followed: bool | None
    """Whether the mirrored image brought the answer with its sides exchanged."""

    @property
    def is_shortcut(self) -> bool:
        """Right, and right without the image."""
        return self.right and bool(self.right_in.get(BLIND))


def reliance_of(own: Prediction, others: Mapping[str, Prediction]) -> Reliance:
    """How one answer depends on what is shown."""
    said, reference = _said(own), _normalise(own.answer)
    side = ANSWER if names_side(own.answer) else QUESTION if names_side(own.question) else NO_SIDE
    answers = {variant: _said(other) for variant, other in others.items()}
    mirrored = answers.get(MIRRORED)
    references: dict[str, str | None] = dict.fromkeys(others, reference)
    if MIRRORED in others:
        references[MIRRORED] = None if side == QUESTION else _normalise(exchange_sides(own.answer))
    return Reliance(
        right=said is not None and said == reference,
        changed={variant: answer != said for variant, answer in answers.items()},
        right_in={
            variant: None if references[variant] is None else answer == references[variant]
            for variant, answer in answers.items()
        },
        side=side,
        followed=None
        if MIRRORED not in answers
        else mirrored is not None
        and names_side(own.prediction)
        and mirrored == _normalise(exchange_sides(own.prediction or "")),
    )


def _said(prediction: Prediction) -> str | None:
    return None if prediction.prediction is None else _normalise(prediction.prediction)


def pair_variants(
    own: Sequence[Prediction], variants: Mapping[str, Sequence[Prediction]]
) -> list[tuple[Prediction, dict[str, Prediction]]]:
    """Every answer with those of the variants, by the sample's id.

    Raises:
        DataError: a variant answered other samples, or was asked something else.
    """
    problems = []
    by_variant: dict[str, dict[str, Prediction]] = {}
    for variant, predictions in variants.items():
        found = {prediction.id: prediction for prediction in predictions}
        strange = [
            prediction.id
            for prediction in own
            if prediction.id not in found
            or (found[prediction.id].question, found[prediction.id].answer) != (prediction.question, prediction.answer)
        ]
        if strange or len(found) != len(own):
            problems.append(f"{variant}: {len(strange):,} of {len(own):,} samples lack, or ask something else")
        by_variant[variant] = found
    if problems:
        raise DataError("answers about other images are not about the same questions; evaluate again", problems)
    return [(row, {variant: by_variant[variant][row.id] for variant in variants}) for row in own]


@dataclass(frozen=True)
class _Share:
    """One figure: of which answers what share it is, in words; ``value`` None leaves an answer out."""

    title: str
    value: Callable[[Reliance], float | None]
    task: str = ""
    """Only of answers to this task; empty: of all."""


def _shares(variants: Iterable[str]) -> dict[str, _Share]:
    """Name -> figure, of what the variants allow."""
    shares: dict[str, _Share] = {}
    for variant in variants:
        shown = VARIANTS[variant]
        shares[f"changed {variant}"] = _Share(f"answers that change: {shown}", _changed_in(variant))
    shares["right own"] = _Share("right: its own image", lambda found: found.right, "vqa")
    for variant in variants:
        shares[f"right {variant}"] = _Share(f"right: {VARIANTS[variant]}", _right_in(variant), "vqa")
    if BLIND in variants:
        shares["gain over blind"] = _Share("what looking brings, over no image", _gain, "vqa")
        shares["shortcut"] = _Share("of the right answers: right without the image too", _shortcut, "vqa")
    if MIRRORED in variants:
        shares["mirror followed"] = _Share(
            "side in the answer: exchanged when mirrored", lambda it: it.followed if it.side == ANSWER else None, "vqa"
        )
        shares["mirror asked"] = _Share(
            "side in the question only: changes when mirrored",
            lambda it: it.changed[MIRRORED] if it.side == QUESTION else None,
            "vqa",
        )
        shares["mirror kept"] = _Share(
            "no side in either: stays when mirrored",
            lambda it: not it.changed[MIRRORED] if it.side == NO_SIDE else None,
            "vqa",
        )
    return shares


def _changed_in(variant: str) -> Callable[[Reliance], float | None]:
    return lambda found: found.changed[variant]


def _right_in(variant: str) -> Callable[[Reliance], float | None]:
    return lambda found: found.right_in[variant]


def _gain(found: Reliance) -> float:
    return float(found.right) - float(bool(found.right_in[BLIND]))


def _shortcut(found: Reliance) -> float | None:
    return found.is_shortcut if found.right else None


def measure_reliance(
    own: Sequence[Prediction], variants: Mapping[str, Sequence[Prediction]]
) -> dict[str, dict[str, Any]]:
    """Figures in percent, each with how many answers it is about and a 95 % interval over images (or studies).

    Only answers to questions can be right; of reports and captions it is measured what changes.

    Raises:
        DataError: as ``pair_variants``, or there are none.
    """
    rows = [(cluster_of(row), reliance_of(row, others)) for row, others in pair_variants(own, variants)]
    if not rows:
        raise DataError("no answers to measure")
    figures = {}
    for name, share in _shares(variants).items():
        if share.task in ("", own[0].task):
            values = [(cluster, share.value(found)) for cluster, found in rows]
            figures[name] = _figure(
                share.title, [(cluster, 100.0 * value) for cluster, value in values if value is not None]
            )
    return figures


def _figure(title: str, given: Sequence[tuple[Any, float]]) -> dict[str, Any]:
    if not given:
        return {"title": title, "n": 0, "value": None, "unit": "%", "reason": "no such answers"}
    values = [value for _, value in given]
    interval = cluster_interval(values, [cluster for cluster, _ in given])
    return {"title": title, "n": len(given), "value": mean(values), "unit": "%", "interval": asdict(interval)}
