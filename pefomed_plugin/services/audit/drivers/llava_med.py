"""LLaVA-Med: ``evaluate`` of ``llava/eval/run_eval.py``, the script of its first release (tag v1.0.0)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

ROWS = {"closed": "yes/no accuracy", "open": "recall"}
"""Open questions are measured by the recall of words. Candidates are for another row of its table."""


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    tools.begin("llava/eval")
    script: Any = importlib.import_module("run_eval")
    tools.seal()
    script.tabulate = lambda rows, headers: dict(rows)
    script.print = lambda *_: None
    for name, judge, rows, answers in tools.cases(job):

        def count(rows: Any = rows, answers: Any = answers) -> Any:
            truths = [
                {
                    "id": row["id"],
                    "answer_type": row["answer_type"],
                    "conversations": [{"value": ""}, {"value": row["answer"]}],
                }
                for row in rows
            ]
            said = [{"question_id": row["id"], "text": text} for row, text in zip(rows, answers)]
            found = script.evaluate(truths, said, {"0": ["unused"]})
            return {figure: found[row] for figure, row in ROWS.items()}

        yield name, judge, tools.attempt(count)
