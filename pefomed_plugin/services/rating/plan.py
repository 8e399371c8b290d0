"""Who rates what, in which round and order, and under which names: the plan of a study.

Blinded: a rater sees neither model, nor score, nor sample id; every rater has codes and an order of their own in every
round, and of two models' answers an order of the two; all recomputed from the plan's seed.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ...errors import ConfigError, DataError
from ...json_fields import fields_of, wrong_fields
from ...readers.textfiles import read_json
from ...records import Prediction
from ...rubrics import Rubric, built_in_rubric, rubric_from_json
from ...scoring.exact_match import score_exact_match
from ...storage import write_json
from ..console import say_once

PLAN = "ratings.json"
SCOPES = {
    "failures": "only answers that failed exact match; the others count as right without having been rated",
    "all": "all answers",
    "random": "a random sample of the answers",
}
"""Which predictions are rated -> how results are labelled."""
_OPTIONAL = ("rounds", "models", "same")
"""Fields that plans from before they were there lack."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_NOT_XML = re.compile("[\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class RatingPlan:
    """What was given out, as ``ratings.json`` keeps it."""

    rubric: Rubric
    """What is rated by which levels."""
    scope: str
    """A name of ``SCOPES``."""
    raters: tuple[str, ...]
    """Names of the raters, which are the names of their files."""
    seed: int
    """Of codes and orders."""
    sample_ids: tuple[str, ...]
    """Predictions to be rated."""
    digest: str
    """Of the texts of these predictions, so that sheets are never imported for others."""
    rounds: tuple[tuple[str, ...], ...] = ()
    """Predictions of each round; empty: one round of all."""
    models: tuple[str, ...] = ()
    """Names of the two models whose answers are compared side by side; empty: answers are rated one by one."""
    same: tuple[str, ...] = ()
    """Predictions that are not given out, because both models gave the same answer: ties."""

    @property
    def round(self) -> int:
        """Number of the round that is going on, from 1."""
        return max(1, len(self.rounds))

    def ids_of(self, number: int) -> tuple[str, ...]:
        """Predictions of a round."""
        return self.rounds[number - 1] if self.rounds else self.sample_ids

    @property
    def choice(self) -> str:
        """Short digest of which answers were chosen: ratings of other answers are not added to these."""
        return self.digest[:16]

    def code(self, rater: str, sample_id: str, number: int = 1) -> str:
        """Name of a prediction on one rater's sheet of a round."""
        again = f"\0{number}" if number > 1 else ""
        return hashlib.sha256(f"{self.seed}\0{rater}\0{sample_id}{again}".encode()).hexdigest()[:10]

    def codes(self, rater: str, number: int = 1) -> dict[str, str]:
        """Code -> sample id of a round, in the rater's own order."""
        ids = list(self.ids_of(number))
        random.Random(f"{self.seed}-{rater}" + (f"-{number}" if number > 1 else "")).shuffle(ids)
        return {self.code(rater, sample_id, number): sample_id for sample_id in ids}

    def is_turned(self, rater: str, sample_id: str, number: int = 1) -> bool:
        """Whether a rater sees the second model's answer first: drawn anew for every item, rater and round."""
        return bool(hashlib.sha256(f"side\0{self.seed}\0{rater}\0{sample_id}\0{number}".encode()).digest()[0] & 1)

    def texts(self, rater: str, prediction: Prediction, number: int = 1) -> tuple[str, str, str, str]:
        """Question, reference, answer and, side by side, the second answer as this rater sees them."""
        question, reference, answer = shown_texts(prediction)
        other = visible(prediction.other) if isinstance(prediction, Pair) else ""
        is_turned = bool(self.models) and self.is_turned(rater, prediction.id, number)
        return (question, reference, other, answer) if is_turned else (question, reference, answer, other)


@dataclass(frozen=True)
class Pair(Prediction):
    """One model's prediction with what another answered to the same."""

    other: str = ""
    """The other's answer."""


def make_plan(
    predictions: Sequence[Prediction],
    rubric: Rubric,
    annotators: int,
    seed: int = 0,
    scope: str | None = None,
    count: int = 100,
) -> RatingPlan:
    """Plan for ``annotators`` raters.

    Args:
        scope: a name of ``SCOPES``; by default what failed exact match for answers (as the paper), all for reports.
        count: how many of a ``random`` scope.

    Raises:
        ConfigError: no annotator, or nothing to rate.
    """
    raters = numbered_raters(annotators)
    if count < 1:
        raise ConfigError(f"--random must be at least 1, not {count}")
    scope = scope or ("failures" if rubric.is_accuracy else "all")
    ids = tuple(prediction.id for prediction in predictions if prediction.prediction is not None)
    if scope == "failures":
        right = exact_matches(predictions)
        ids = tuple(sample_id for sample_id in ids if sample_id not in right)
    if scope == "random" and count > len(ids):
        say_once(f"--random {count:,}: there are {len(ids):,} answers, and all of them are given out")
    if scope == "random":
        chosen = set(sorted(ids, key=lambda sample_id: _place_in_draw(seed, sample_id))[:count])
        ids = tuple(sample_id for sample_id in ids if sample_id in chosen)
    if not ids:
        raise ConfigError(f"there is nothing to rate: no prediction is left ({SCOPES[scope]})")
    return RatingPlan(rubric, scope, raters, seed, ids, texts_digest(predictions, ids))


def numbered_raters(count: int) -> tuple[str, ...]:
    """``rater01``, ``rater02``, ...: names of raters who have no other. Raises ConfigError for fewer than one."""
    if count < 1:
        raise ConfigError(f"--annotators must be at least 1, not {count}")
    digits = max(2, len(str(count)))
    return tuple(f"rater{number:0{digits}d}" for number in range(1, count + 1))


def _place_in_draw(seed: int, sample_id: str) -> str:
    """By the question alone: a larger draw holds a smaller one, and two models' draws are of the same questions."""
    return hashlib.sha256(f"draw\0{seed}\0{sample_id}".encode()).hexdigest()


def next_round(plan: RatingPlan, predictions: Sequence[Prediction], scope: str | None, count: int) -> RatingPlan:
    """The plan with one more round: the answers of before again, or, of a choice that is larger, those that are new.

    Raises:
        ConfigError: the choice does not hold the answers of before.
    """
    rounds = tuple(plan.ids_of(number) for number in range(1, plan.round + 1))
    if scope is None:
        return replace(plan, rounds=(*rounds, plan.sample_ids))
    chosen = make_plan(predictions, plan.rubric, 1, plan.seed, scope, count).sample_ids
    new = tuple(sample_id for sample_id in chosen if sample_id not in set(plan.sample_ids))
    if not set(plan.sample_ids) <= set(chosen) or not new or scope != plan.scope:
        raise ConfigError(
            "a new round has the answers of before once more, or a larger choice of the same kind "
            f"({SCOPES[plan.scope]}, {len(plan.sample_ids):,} now); leave --all and "
            "--random out, or give a larger --random"
        )
    return replace(
        plan,
        sample_ids=(*plan.sample_ids, *new),
        digest=texts_digest(predictions, (*plan.sample_ids, *new)),
        rounds=(*rounds, new),
    )


def write_plan(plan: RatingPlan, folder: Path) -> None:
    """Keep the plan beside the sheets; what only some plans have is only in theirs."""
    content = {field.name: getattr(plan, field.name) for field in fields(plan)}
    content = {key: value for key, value in content.items() if value or key not in _OPTIONAL}
    write_json(Path(folder) / PLAN, {**content, "rubric": plan.rubric.to_json()})


def read_plan(folder: Path, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of a study about these predictions.

    Raises:
        DataError: as ``load_plan``, or it was made for other predictions.
    """
    plan, path = load_plan(folder), Path(folder) / PLAN
    if bool(plan.models) != any(isinstance(prediction, Pair) for prediction in predictions):
        raise DataError(
            f"{path} compares {plan.models[0]} and {plan.models[1]}: give the second one's answers with --against"
            if plan.models
            else f"{path} rates the answers of one model: leave --against out"
        )
    known = {prediction.id for prediction in predictions}
    if not set(plan.sample_ids) <= known or texts_digest(predictions, plan.sample_ids) != plan.digest:
        raise DataError(f"{path} was made for other predictions; give the file that was exported")
    return plan


def load_plan(folder: Path) -> RatingPlan:
    """The plan of a study, whatever it is about.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = Path(folder) / PLAN
    if not path.exists():
        raise DataError(
            f"{path}: no such file; give the folder of pefomed rate export, or the --out of pefomed rate serve"
        )
    content = read_json(path)
    try:
        content.pop("schema")
        if "kind" in content:
            rubric = built_in_rubric(content.pop("kind"))
            say_once(f"{path} is from before rubrics were noted; its ratings are read by the built-in {rubric.label}")
        else:
            rubric = rubric_from_json(content.pop("rubric"), str(path))
        rounds = tuple(_strings(ids) for ids in content.pop("rounds", ()))
        optional = {name: content.pop(name, []) for name in _OPTIONAL if name != "rounds"}
        kinds = {name: kind for name, kind in fields_of(RatingPlan).items() if name not in ("rubric", *_OPTIONAL)}
        problems = wrong_fields(content, kinds, kinds)
        if problems:
            raise DataError(f"{path} is not a plan of pefomed rate export; export again", problems)
        more = {name: _strings(value) for name, value in optional.items()}
        plan = RatingPlan(rubric, **{key: _as_tuple(content[key]) for key in kinds})
        return replace(plan, models=more["models"], same=more["same"], rounds=rounds)
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{path} is not a plan of pefomed rate export; export again") from None


def _strings(values: Any) -> tuple[str, ...]:
    """Raises TypeError where they are none."""
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise TypeError
    return tuple(values)


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def exact_matches(predictions: Sequence[Prediction]) -> set[str]:
    """Ids of the predictions that are the reference answer."""
    scores = score_exact_match(predictions)
    return {score.sample_id for score in scores if score.value == 1.0}


def texts_digest(predictions: Sequence[Prediction], ids: Sequence[str]) -> str:
    """Digest of what raters get to see of these predictions."""
    by_id = {prediction.id: prediction for prediction in predictions}
    texts = "\0".join("\0".join((sample_id, *shown_texts(by_id[sample_id]))) for sample_id in ids)
    pairs = [each for each in map(by_id.__getitem__, ids) if isinstance(each, Pair)]
    texts += "".join(f"\0{visible(pair.other)}" for pair in pairs)
    return hashlib.sha256(texts.encode("utf-8")).hexdigest()


def shown_texts(prediction: Prediction) -> tuple[str, str, str]:
    """Question, reference and answer as a rater sees them."""
    return visible(prediction.question or ""), visible(prediction.answer), visible(prediction.prediction or "")


def visible(text: str) -> str:
    """Text that every spreadsheet can hold: control characters as their images, line breaks as one kind."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NOT_XML.sub("\ufffd", _CONTROL.sub(lambda found: chr(0x2400 + ord(found.group())), text))


def rating_pairs(
    plan: RatingPlan, rater: str, predictions: Sequence[Prediction], number: int = 1
) -> list[tuple[str, Prediction]]:
    """Code and prediction of every row of a rater's sheet of a round, in its order."""
    by_id = {prediction.id: prediction for prediction in predictions}
    return [(code, by_id[sample_id]) for code, sample_id in plan.codes(rater, number).items()]
