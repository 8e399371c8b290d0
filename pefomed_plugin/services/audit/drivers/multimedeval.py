"""MultiMedEval: ``evaluate`` of its task classes on answers that are given to them."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from typing import Any

CLASSES = {"vqa_rad": "VQARad", "slake": "SLAKE", "path_vqa": "PathVQA"}


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    tools.begin()
    module = importlib.import_module("multimedeval.vqa")
    said = importlib.import_module("multimedeval.utils").BatcherOutput
    tools.seal()
    task = getattr(module, CLASSES[job["dataset"]])(engine=None, logger=logging.getLogger("audit"))
    for name, judge, rows, answers in tools.cases(job):

        def count(rows: Any = rows, answers: Any = answers) -> Any:
            task.dataset = [{"question": row["question"], "answer": row["answer"]} for row in rows]
            found = task.evaluate([{"idx": place, "answer": said(text=text)} for place, text in enumerate(answers)])
            return {
                "closed": 100 * found.metrics["closedQuestionsAccuracy"],
                "open": 100 * found.metrics["openQuestionsAccuracy"],
            }

        yield name, judge, tools.attempt(count)
