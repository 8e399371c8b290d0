"""Predictions worded by us, for every test of the scorers."""

from typing import Any, List, Optional, Sequence, Tuple

from pefomed_plugin.records import Prediction


def predicted(answer: str = "yes", prediction: Optional[str] = "yes", number: int = 1, **fields: Any) -> Prediction:
    """One prediction; ``fields`` override what a VQA test row usually has."""
    row = {"id": "invented-{}".format(number), "dataset": "vqa_rad", "split": "test",
           "image": "picture{}.png".format(number), "task": "vqa", "question": "Is the invented finding seen?",
           "answer": answer, "prediction": prediction, **fields}
    return Prediction(**row)


def reports(pairs: Sequence[Tuple[str, Optional[str]]], **fields: Any) -> List[Prediction]:
    """Report predictions from pairs of reference and text."""
    shared = {"dataset": "iu_xray", "task": "report", "question": None, **fields}
    return [predicted(answer, text, number, **shared) for number, (answer, text) in enumerate(pairs, 1)]
