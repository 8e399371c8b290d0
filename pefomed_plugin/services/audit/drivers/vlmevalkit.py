"""VLMEvalKit: ``PathVQA_TEST.evaluate``; it asks a judge, which is one of known worth here."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any


class Judge:
    """In place of the model that is asked, in the words of its own prompt."""

    def __init__(self, is_right: bool) -> None:
        self.reply = f"[Begin Correctness]\n{'yes' if is_right else 'no'}\n[End Correctness]"

    def working(self) -> bool:
        """As theirs."""
        return True

    def generate(self, prompt: Any, **_: Any) -> str:
        """As theirs."""
        return self.reply


def run(job: Any, tools: Any) -> Iterator[Any]:
    """Figures of every case: name, judge, and the figures or why there are none."""
    os.environ["PRED_FORMAT"] = "tsv"  # one of its settings; sheets need packages more
    tools.begin()
    module: Any = importlib.import_module("vlmeval.dataset.image_shortqa")
    pandas = importlib.import_module("pandas")
    tools.seal()
    dataset = object.__new__(module.PathVQA_TEST)
    dataset.dataset_name = "PathVQA_TEST"
    for name, judge, rows, answers in tools.cases(job, judged=True):
        if name != "perfect":
            continue  # it never looks at an answer itself
        module.build_judge = lambda judge=judge, **_: Judge(judge == "right")

        def count(rows: Any = rows, answers: Any = answers, judge: str = judge) -> Any:
            table = [
                {"index": place, "question": row["question"], "answer": row["answer"], "prediction": text}
                for place, (row, text) in enumerate(zip(rows, answers))
            ]
            with tempfile.TemporaryDirectory() as folder:
                path = os.path.join(folder, "audit_PathVQA_TEST.tsv")
                pandas.DataFrame(table).to_csv(path, sep="\t", index=False)
                found = dataset.evaluate(path, model="gpt-4o-mini" if judge else "exact_matching", nproc=1)
            return {"overall": 100 * float(found["Overall"][0])}

        yield name, judge, tools.attempt(count)
