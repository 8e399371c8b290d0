"""Predictions worded by us, and questions about them."""

from __future__ import annotations

from typing import Any

from pefomed_plugin.records import Prediction
from pefomed_plugin.rubrics import BUILT_IN
from pefomed_plugin.services.judge.judging import JudgePlan
from pefomed_plugin.services.judge.prompts import find_prompt


def answers(count: int, **fields: Any) -> list[Prediction]:
    """VQA predictions, three questions an image, every second one closed."""
    return [
        Prediction.from_json(
            {
                "id": f"invented-{number}",
                "dataset": "vqa_rad",
                "split": "test",
                "task": "vqa",
                "image": f"image{number // 3}.png",
                "question": f"Is the invented finding {number} seen?",
                "answer": "yes",
                "prediction": f"the finding {number} is there",
                "answer_type": "CLOSED" if number % 2 else "OPEN",
                **fields,
            }
        )
        for number in range(count)
    ]


def written_reports(count: int, **fields: Any) -> list[Prediction]:
    """Report predictions, two views a study."""
    return [
        Prediction.from_json(
            {
                "id": f"invented-{number}",
                "dataset": "iu_xray",
                "split": "test",
                "task": "report",
                "question": None,
                "image": f"view{number}.png",
                "answer": "The invented lungs are clear.",
                "prediction": f"Clear invented lungs, view {number}.",
                "metadata": {"study": number // 2},
                **fields,
            }
        )
        for number in range(count)
    ]


def plan(runs: int = 1, kind: str = "vqa", **fields: Any) -> JudgePlan:
    """A plan for a model of no maker."""
    return JudgePlan("invented-judge", find_prompt(BUILT_IN[kind]), runs, **fields)
