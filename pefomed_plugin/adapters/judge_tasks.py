"""Evaluation tasks whose answers a judge rates: the model answers as in its own task, then ``run.judge`` rates.

What is asked and kept is in ``judge.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config.run import RunConfig
from ..errors import PefomedError
from ..records import Prediction
from ..rubrics import REPORT, VQA
from ..services.console import Word, quote_words
from ..services.judge.judging import JudgePlan
from ..services.judge.local_judge import check_local_judge
from ..services.judge.prompts import find_prompt
from ..services.judge.server import server_url
from ..services.judge.settling import Limits
from .judge import LEDGER, find_judge, judge_offline, judge_with_model, model_name
from .tasks import MedicalTask


class Gpt4JudgeTask(MedicalTask):
    """Answers questions, then lets a judge say which answers mean the same as the reference (paper section 4.3)."""

    kind, rubric, max_new_tokens, scorers = "vqa", VQA, 20, ("exact_match/pefomed",)

    def build_datasets(self, cfg: Any) -> dict[str, dict[str, Any]]:
        """As for every task, after a check that there is a judge, because answering takes long.

        Raises:
            ConfigError: no model, key or package to judge with.
        """
        judge, model = cfg.run_cfg.get("judge", "api"), cfg.run_cfg.get("judge_model", "")
        if judge == "api":
            find_judge(judge, model, [])
        elif judge == "local":
            check_local_judge(model)
        return super().build_datasets(cfg)

    def score_answers(self, predictions: Sequence[Prediction], folder: Path, options: RunConfig) -> dict[str, Any]:
        """Scores of the task's scorers, then the judge's.

        Raises:
            ConfigError: the judge's model is not named or cannot be used, or the texts may not go there.
            PefomedError: the judge did not finish; the answers are on the disk, and what it replied in the ledger.
        """
        super().score_answers(predictions, folder, options)
        if options.judge == "offline":
            return judge_offline(predictions, self.rubric, options.judge_runs, folder)
        plan = JudgePlan(
            model_name(options.judge, options.judge_model),
            find_prompt(self.rubric),
            options.judge_runs,
            options.seed,
            server=server_url() if options.judge == "api" else "",
        )
        judge = find_judge(options.judge, options.judge_model, predictions)
        asked, metrics = judge_with_model(predictions, plan, Limits(), judge, folder / LEDGER, folder)
        if metrics is None:
            words: list[Word] = ["pefomed", "judge", self.rubric.task, folder / "predictions.jsonl"]
            words += ["--judge", options.judge, "--runs", str(plan.runs), "--seed", str(plan.seed)]
            words += ["--model", options.judge_model] if options.judge_model else []
            raise PefomedError(
                f"judged {asked.settled:,} of {asked.questions:,} ({asked.stopped or 'no reply to the others'}); go on "
                f"with: {quote_words(words)}"
            )
        return metrics


class WasmTask(Gpt4JudgeTask):
    """Writes reports, then lets a judge rate each from 0 to 4; the figure is WASM (paper section 3.3)."""

    kind, rubric, max_new_tokens, scorers = "report", REPORT, 300, ("lexical/coco",)


Gpt4JudgeTask.counterparts = {"report": WasmTask}
WasmTask.counterparts = {"vqa": Gpt4JudgeTask}
JUDGE_TASKS: dict[str, type[MedicalTask]] = {"gpt4_judge": Gpt4JudgeTask, "wasm": WasmTask}
