"""Runs on disk, worded by us, for the tests of comparisons and pages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from PIL import Image

from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.rubrics import BUILT_IN
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.ratings import human_spec, judge_spec
from pefomed_plugin.services.judgements import write_judgements
from pefomed_plugin.storage import write_records, write_text

Values = Sequence[Optional[float]]
"""What one run of a judge, or one rater, gave each prediction."""
ROWS: Sequence[tuple[str, str, str, str, str]] = (
    ("Is there an invented shadow?", "yes", "CLOSED", "PRES", "CHEST"),
    ("What is <b>bold</b> here?", "a </script> tag", "OPEN", "ABN", "CHEST"),
    ("Which plane is drawn?", "axial", "OPEN", "PLANE", "HEAD"),
    ("Is the drawn heart large?", "no", "CLOSED", "SIZE, PRES", "CHEST"),
)
"""Question, answer, answer type, question type, organ; repeated with numbers to make more."""


def answers(right: Sequence[bool], **fields: Any) -> list[Prediction]:
    """One prediction a truth value: the reference where true, else something wrong."""
    return [predicted(number, each, **fields) for number, each in enumerate(right)]


def predicted(number: int, right: bool, **fields: Any) -> Prediction:
    question, answer, answer_type, question_type, organ = ROWS[number % len(ROWS)]
    row: dict[str, Any] = {
        "id": f"vqa_rad-{number}",
        "dataset": "vqa_rad",
        "split": "test",
        "image": f"image{number // 2}.png",
        "task": "vqa",
        "question": question,
        "answer": answer,
        "answer_type": answer_type,
        "question_type": question_type,
        "organ": organ,
        "prediction": answer if right else "something else",
        "producer": {"checkpoint": "minigptv2_made.pth"},
        **fields,
    }
    return Prediction.from_json(row)


def make_run(
    folder: Path,
    predictions: Sequence[Prediction],
    scorers: Sequence[str] = ("exact_match",),
    config: dict[str, Any] | None = None,
) -> Path:
    """A run as an evaluation leaves it; JSON is YAML."""
    first = predictions[0]
    results = folder / "results" / f"{first.dataset}-{first.split}"
    write_records(results / "predictions.jsonl", predictions)
    if scorers:
        write_scores(predictions, scorers, results, {})
    if config is not None:
        write_text(folder / "config.yaml", json.dumps(config))
    return folder


def rate(
    folder: Path,
    predictions: Sequence[Prediction],
    scorer: str,
    runs: Sequence[Values],
    facts: dict[str, Any] | None = None,
    only: Sequence[str] | None = None,
) -> None:
    """Judgements of several runs or raters beside the predictions, as the commands leave them."""
    scored = [
        [Score(prediction.id, scorer, "1", value) for prediction, value in zip(predictions, values)] for values in runs
    ]
    who, kind, *model = scorer.split("/", 2)
    rubric = BUILT_IN[kind]
    spec = human_spec(rubric) if who == "human" else judge_spec(rubric, *model)
    write_judgements(predictions, rubric, spec, scored, folder, facts or {}, only=only)


def make_images(folder: Path, predictions: Sequence[Prediction]) -> Path:
    """A small image for each image that the predictions name."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(sorted({prediction.only_image for prediction in predictions})):
        Image.new("RGB", (40, 30), (20 * number % 255, 90, 120)).save(folder / name)
    return folder
