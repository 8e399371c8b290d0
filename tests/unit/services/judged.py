"""Predictions worded by us, and questions about them."""

from typing import Any, List

from pefomed_plugin.prompts_judge import PROMPTS
from pefomed_plugin.records import Prediction
from pefomed_plugin.services.judge.judging import JudgePlan


def answers(count: int, **fields: Any) -> List[Prediction]:
    """VQA predictions, three questions an image, every second one closed."""
    return [Prediction(**{
        "id": "invented-{}".format(number), "dataset": "vqa_rad", "split": "test", "task": "vqa",
        "image": "picture{}.png".format(number // 3), "question": "Is the invented finding {} seen?".format(number),
        "answer": "yes", "prediction": "the finding {} is there".format(number),
        "answer_type": "CLOSED" if number % 2 else "OPEN", **fields}) for number in range(count)]


def written_reports(count: int, **fields: Any) -> List[Prediction]:
    """Report predictions, two views a study."""
    return [Prediction(**{
        "id": "invented-{}".format(number), "dataset": "iu_xray", "split": "test", "task": "report", "question": None,
        "image": "view{}.png".format(number), "answer": "The invented lungs are clear.",
        "prediction": "Clear invented lungs, view {}.".format(number), "metadata": {"study": number // 2},
        **fields}) for number in range(count)]


def plan(runs: int = 1, kind: str = "vqa", **fields: Any) -> JudgePlan:
    """A plan for a model of no maker."""
    return JudgePlan("invented-judge", PROMPTS[kind], runs, **fields)
