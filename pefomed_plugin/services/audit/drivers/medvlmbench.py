"""MedVLMBench: ``evaluate_subject`` of its engine, on closed questions; open ones need BERTScore's model."""

from __future__ import annotations

import importlib
import types
from collections.abc import Iterator
from typing import Any


class Model:
    """Says what it is given."""

    text = ""

    def infer_vision_language(self, image: Any, prompt: Any, image_size: Any = None) -> str:
        """As theirs."""
        return self.text


class Image:
    """Is never looked at."""

    def to(self, *_: Any, **__: Any) -> Image:
        """On no device."""
        return self


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    tools.begin()
    module = importlib.import_module("eval.vqa")
    tools.seal()
    arguments = types.SimpleNamespace(device="cpu", gpt_eval=False, save_pred=False, task="vqa")
    for name, judge, rows, answers in tools.cases(job):

        def count(rows: Any = rows, answers: Any = answers) -> Any:
            model, hits = Model(), []
            for row, model.text in zip(rows, answers):
                if row["answer"].strip().lower() not in ("yes", "no"):
                    continue
                engine = object.__new__(module.VQAEvalEngine)
                engine.args, engine.records = arguments, []
                found: dict[str, Any] = {}
                engine.metric_logger = types.SimpleNamespace(meters=_Meters(found))
                subject = {"image": Image(), "query": row["question"], "label": row["answer"], "is_open": False}
                subject.update(question_type="yes/no", prompt_template="{}", image_size=None, image_path="")
                engine.evaluate_subject(subject, model)
                hits.append(found["accuracy_closed"])
            return {"closed": 100 * sum(hits) / len(hits)}

        yield name, judge, tools.attempt(count)


class _Meters(dict[str, Any]):
    """Keeps the last value of each of their meters."""

    def __init__(self, found: dict[str, Any]) -> None:
        super().__init__()
        self._found = found

    def __missing__(self, name: str) -> Any:
        return types.SimpleNamespace(update=lambda value, n=1: self._found.__setitem__(name, value))
