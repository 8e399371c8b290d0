"""lmms-eval: ``process_results`` of its task SLAKE and the aggregations that its YAML names."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    tools.begin()
    if tools.checkout:
        task = tools.load_file("lmms_eval/tasks/slake/utils.py", "lmms_eval_slake_utils")
    else:
        task = importlib.import_module("lmms_eval.tasks.slake.utils")
    tools.seal()
    figures = {
        "overall": ("slake_accuracy", task.slake_aggregate_accuracy),
        "open": ("slake_open_accuracy", task.slake_aggregate_open_accuracy),
        "closed": ("slake_closed_accuracy", task.slake_aggregate_closed_accuracy),
    }
    if hasattr(task.eval_logger, "remove"):
        task.eval_logger.remove()
    for name, judge, rows, answers in tools.cases(job):

        def count(rows: Any = rows, answers: Any = answers) -> Any:
            docs = [
                {
                    "qid": row["id"],
                    "question": row["question"],
                    "answer": row["answer"],
                    "answer_type": row["answer_type"],
                    "q_lang": row["metadata"].get("language", "en"),
                    "modality": row["metadata"].get("modality", ""),
                    "content_type": row["question_type"] or "",
                }
                for row in rows
            ]
            found = [task.slake_process_results(doc, [text]) for doc, text in zip(docs, answers)]
            return {
                figure: 100 * aggregate([each[metric] for each in found])
                for figure, (metric, aggregate) in figures.items()
            }

        yield name, judge, tools.attempt(count)
