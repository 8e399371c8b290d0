"""Predictions worded by us, for every test of the scorers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pefomed_plugin.records import Prediction


def predicted(answer: str = "yes", prediction: str | None = "yes", number: int = 1, **fields: Any) -> Prediction:
    """One prediction; ``fields`` override what a VQA test row usually has."""
    row = {
        "id": f"invented-{number}",
        "dataset": "vqa_rad",
        "split": "test",
        "image": f"image{number}.png",
        "task": "vqa",
        "question": "Is the invented finding seen?",
        "answer": answer,
        "prediction": prediction,
        **fields,
    }
    return Prediction.from_json(row)


def reports(pairs: Sequence[tuple[str, str | None]], **fields: Any) -> list[Prediction]:
    """Report predictions from pairs of reference and text."""
    shared = {"dataset": "iu_xray", "task": "report", "question": None, **fields}
    return [predicted(answer, text, number, **shared) for number, (answer, text) in enumerate(pairs, 1)]
