"""Who rates what, in which order, and under which names: the plan behind a folder of rating sheets.

Blinded: a rater sees neither model, nor score, nor sample id; every rater has codes and an order of their own, both
recomputed from the plan's seed.
"""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
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

    @property
    def choice(self) -> str:
        """Short digest of which answers were chosen: ratings of other answers are not added to these."""
        return self.digest[:16]

    def code(self, rater: str, sample_id: str) -> str:
        """Name of a prediction on one rater's sheet."""
        return hashlib.sha256(f"{self.seed}\0{rater}\0{sample_id}".encode()).hexdigest()[:10]

    def codes(self, rater: str) -> dict[str, str]:
        """Code -> sample id, in the rater's own order."""
        ids = list(self.sample_ids)
        random.Random(f"{self.seed}-{rater}").shuffle(ids)
        return {self.code(rater, token_id): token_id for token_id in ids}


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
    if annotators < 1 or count < 1:
        raise ConfigError("--annotators and --random must be at least 1")
    scope = scope or ("failures" if rubric.is_accuracy else "all")
    ids = tuple(prediction.id for prediction in predictions if prediction.prediction is not None)
    if scope == "failures":
        right = exact_matches(predictions)
        ids = tuple(sample_id for sample_id in ids if sample_id not in right)
    if scope == "random":
        chosen = set(sorted(ids, key=lambda sample_id: _place_in_draw(seed, sample_id))[:count])
        ids = tuple(sample_id for sample_id in ids if sample_id in chosen)
    if not ids:
        raise ConfigError(f"there is nothing to rate: no prediction is left ({SCOPES[scope]})")
    digits = max(2, len(str(annotators)))
    raters = tuple(f"rater{number:0{digits}d}" for number in range(1, annotators + 1))
    return RatingPlan(rubric, scope, raters, seed, ids, texts_digest(predictions, ids))


def _place_in_draw(seed: int, sample_id: str) -> str:
    """By the question alone: a larger draw holds a smaller one, and two models' draws are of the same questions."""
    return hashlib.sha256(f"draw\0{seed}\0{sample_id}".encode()).hexdigest()


def write_plan(plan: RatingPlan, folder: Path) -> None:
    """Keep the plan beside the sheets."""
    content = {field.name: getattr(plan, field.name) for field in fields(plan)}
    write_json(Path(folder) / PLAN, {**content, "rubric": plan.rubric.to_json()})


def read_plan(folder: Path, predictions: Sequence[Prediction]) -> RatingPlan:
    """The plan of a folder of sheets.

    Raises:
        DataError: there is none, it is damaged, or it was made for other predictions.
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
        kinds = {name: kind for name, kind in fields_of(RatingPlan).items() if name != "rubric"}
        problems = wrong_fields(content, kinds, kinds)
        if problems:
            raise DataError(f"{path} is not a plan of pefomed rate export; export again", problems)
        plan = RatingPlan(rubric, **{key: _as_tuple(content[key]) for key in kinds})
    except (AttributeError, KeyError, TypeError):
        raise DataError(f"{path} is not a plan of pefomed rate export; export again") from None
    known = {prediction.id for prediction in predictions}
    if not set(plan.sample_ids) <= known or texts_digest(predictions, plan.sample_ids) != plan.digest:
        raise DataError(f"{path} was made for other predictions; give the file that was exported")
    return plan


def _as_tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def exact_matches(predictions: Sequence[Prediction]) -> set[str]:
    """Ids of the predictions that are the reference answer."""
    scores = score_exact_match(predictions)
    return {score.sample_id for score in scores if score.value == 1.0}


def texts_digest(predictions: Sequence[Prediction], ids: Sequence[str]) -> str:
    """Digest of what raters get to see of these predictions."""
    by_id = {prediction.id: prediction for prediction in predictions}
    texts = "\0".join("\0".join((token_id, *shown_texts(by_id[token_id]))) for token_id in ids)
    return hashlib.sha256(texts.encode("utf-8")).hexdigest()


def shown_texts(prediction: Prediction) -> tuple[str, str, str]:
    """Question, reference and answer as a rater sees them."""
    return visible(prediction.question or ""), visible(prediction.answer), visible(prediction.prediction or "")


def visible(text: str) -> str:
    """Text that every spreadsheet can hold: control characters as their images, line breaks as one kind."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _NOT_XML.sub("\ufffd", _CONTROL.sub(lambda found: chr(0x2400 + ord(found.group())), text))


def rating_pairs(plan: RatingPlan, rater: str, predictions: Sequence[Prediction]) -> list[tuple[str, Prediction]]:
    """Code and prediction of every row of a rater's sheet, in its order."""
    by_id = {prediction.id: prediction for prediction in predictions}
    return [(code, by_id[sample_id]) for code, sample_id in plan.codes(rater).items()]
