"""A judge that is always right and one that is always wrong, as scorers: what our counting makes of their verdicts.

Prompt, ledger, reading of the reply and summary are those of every judge; only the reply is given.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...records import Prediction, Score
from ...rubrics import BUILT_IN, Rubric
from ...scoring.known import Known
from ...scoring.probes import EMPTY, MISSING, PERFECT
from ...scoring.spec import ScorerSpec
from ..judge import offline_judge
from ..judge.chat import Reply
from ..judge.judging import JudgePlan, collect_scores, judge_questions
from ..judge.ledger import Ledger
from ..judge.prompts import find_prompt
from ..judge.settling import Limits, make_entry


def known_judges() -> list[ScorerSpec]:
    """For each rubric that is built in: a judge that is always right, one always wrong, and the offline judge."""
    return [
        spec
        for rubric in BUILT_IN.values()
        for spec in (
            _judge(rubric, "always-right", rubric.highest),
            _judge(rubric, "always-wrong", rubric.lowest),
            offline_judge.audited(rubric),
        )
    ]


def _judge(rubric: Rubric, name: str, level: int) -> ScorerSpec:
    """A judge that gives one level to everything; what has no answer is at the lowest, whoever judges."""
    plan = JudgePlan(name, find_prompt(rubric), runs=1)
    known = (*(Known(probe, level) for probe in (PERFECT, EMPTY)), Known(MISSING, rubric.lowest))
    return replace(plan.spec, function=lambda predictions: _verdicts(predictions, plan, level), known=known)


def _verdicts(predictions: Sequence[Prediction], plan: JudgePlan, level: int) -> list[Score]:
    reply = Reply(f"They compare.\nVERDICT: {level}")
    with tempfile.TemporaryDirectory() as folder, Ledger(Path(folder) / "ledger.jsonl") as ledger:
        ledger.append([make_entry(question, reply) for question in judge_questions(predictions, plan)])
        (scores,) = collect_scores(predictions, plan, ledger, Limits())
    return scores
