"""MedEvalKit: ``cal_metrics`` of its data sets, with and without its judge (``use_llm_judge``)."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from typing import Any

CLASSES = {"vqa_rad": "VQA_RAD", "slake": "SLAKE", "path_vqa": "PATH_VQA"}


class Judge:
    """In place of the model that is asked: the verdict of its own prompt, 0 for right."""

    def __init__(self, verdict: int) -> None:
        self.reply = f"<think>given</think><judge>{verdict}</judge>"

    def generate_outputs(self, messages: Any) -> list[str]:
        """As theirs."""
        return [self.reply] * len(messages)


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    os.environ.update(api_key="none", openai_api_key="none", judge_model_type="openai")  # names of several versions
    tools.begin()
    kind = CLASSES[job["dataset"]]
    module: Any = importlib.import_module(f"utils.{kind}.{kind}")
    tools.seal()
    module.tqdm = lambda items: items
    dataset = getattr(module, kind)(None, "unused", "unused")
    for name, judge, rows, answers in tools.cases(job, judged=True):
        os.environ["use_llm_judge"] = str(bool(judge))  # noqa: SIM112, their name
        module.judger = Judge(0 if judge == "right" else 1)

        def count(rows: Any = rows, answers: Any = answers) -> Any:
            samples = [
                {
                    "question": row["question"],
                    "answer": row["answer"],
                    "answer_type": row["answer_type"],
                    "lang": row["metadata"].get("language", "en"),
                    "response": text,
                }
                for row, text in zip(rows, answers)
            ]
            metrics, _ = dataset.cal_metrics(samples)
            return {
                "overall": 100 * metrics["total metrics"]["acc"],
                "open": 100 * metrics["open"]["acc"],
                "closed": 100 * metrics["close"]["acc"],
            }

        yield name, judge, tools.attempt(count)
