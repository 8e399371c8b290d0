"""Judging one test set, from predictions to ``metrics.json``: what ``pefomed judge`` and task ``gpt4_judge`` share.

Which judges there are; how each works is in ``services/judge``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from ..errors import ConfigError, near_names
from ..origins import origins_of
from ..records import Prediction, Score
from ..rubrics import Rubric
from ..scoring.checks import check_predictions
from ..services.judge import offline_judge
from ..services.judge.asking import ask_all
from ..services.judge.batches import ask_batches
from ..services.judge.chat import CHAT, Ask, AsksAtOnce, ChatRequest
from ..services.judge.judging import (
    JudgePlan,
    check_judgeable,
    collect_scores,
    judge_facts,
    judge_questions,
    usable_verdict,
)
from ..services.judge.ledger import Ledger
from ..services.judge.local_judge import LocalChat
from ..services.judge.openai_chat import OpenAIChat
from ..services.judge.prices import TOKENS_OF_A_VERDICT, estimate_tokens
from ..services.judge.settling import Asked, Limits, Usable, take_stock
from ..services.judgements import write_judgements

JUDGES = ("api", "offline", "local")
"""``api``: an OpenAI-compatible server. ``offline``: shared words, no model. ``local``: a Hugging Face model here."""
Judge = Callable[[Sequence[ChatRequest], Ledger, Usable, Limits], Asked]
"""Asks what a ledger does not settle."""
LEDGER = "judge.ledger.jsonl"
"""Beside the predictions unless the user names another place."""


@dataclass(frozen=True)
class JudgingEstimate:
    """What is left to ask, before it is asked."""

    questions: int
    """All runs, equal questions once."""
    requests: int
    """Of them not yet in the ledger."""
    prompt_tokens: int
    """To be sent, about."""
    completion_tokens: int
    """To be answered, about."""
    cost: float | None
    """Of the two; None without a price."""


def find_judge(
    judge: str,
    model: str,
    predictions: Sequence[Prediction],
    timeout_s: float = 120.0,
    has_permission: bool = False,
    batch: bool = False,
    leave_out: Sequence[str] = (),
    endpoint: str = CHAT,
    datasets: Iterable[str] = (),
    origins: Mapping[str, str] | None = None,
) -> Judge:
    """The function that asks the judge, one by one or (``batch``) through the Batch API.

    ``leave_out`` names parameters that the server is not sent, ``endpoint`` the corner of its API that is asked;
    ``datasets`` and their ``origins`` are those of answers that are still to come.

    Raises:
        ConfigError: no such judge or no model named, or the texts may not go there.
    """
    if judge not in JUDGES:
        raise ConfigError(f"no judge {judge!r}; {near_names(judge, JUDGES)}")
    if not model:
        raise ConfigError(
            "which model judges? Name it with --model (in a YAML: run.judge_model); there is no default, because "
            "models are retired (gpt-4, the paper's, is). To try it without one, the judge is offline"
        )
    if judge == "local":
        return _one_by_one(LocalChat(model).ask)
    chat = OpenAIChat(timeout_s, leave_out=leave_out)
    named = {*datasets, *(prediction.dataset for prediction in predictions)}
    chat.clear(named, has_permission, {**(origins or {}), **origins_of(predictions).data})
    chat.require(endpoint)
    if batch:
        return lambda questions, ledger, usable, limits: ask_batches(questions, chat, ledger, usable, limits)
    return _one_by_one(chat)


def model_name(judge: str, model: str) -> str:
    """The model's name in results and ledger; of a local one its folder's name, so that no path gets into a file."""
    return Path(model).resolve().name if judge == "local" and model else model


def judge_offline(
    predictions: Sequence[Prediction], rubric: Rubric, runs: int, folder: Path, axes: Sequence[str] = ()
) -> dict[str, Any]:
    """Judge by shared words and write the results. Raises DataError as ``judge_with_model``."""
    check_predictions(predictions)
    check_judgeable(predictions, rubric)
    facts = {
        "model": offline_judge.NAME,
        "runs": runs,
        "note": "shared words, no model: for demonstrations and tests, not for results",
    }
    judged = offline_judge.judge_offline(predictions, rubric, runs)
    return write_judgements(predictions, rubric, offline_judge.spec_of(rubric), judged, folder, facts, axes)


def judge_with_model(
    predictions: Sequence[Prediction],
    plan: JudgePlan,
    limits: Limits,
    judge: Judge,
    ledger_path: Path,
    folder: Path,
    axes: Sequence[str] = (),
) -> tuple[Asked, dict[str, Any] | None]:
    """Ask what the ledger does not hold yet, then write the results.

    Returns:
        How far it went, and the metrics as written; None where questions are still open (nothing is written then, and
        the next call goes on from the ledger).

    Raises:
        DataError: the predictions cannot be judged, or the ledger is in use or damaged.
        ServiceError: the server answers nothing at all.
        PefomedError: not one of its replies can be used.
    """
    asked, runs, facts = ask_for_scores(predictions, plan, limits, judge, ledger_path)
    if runs is None:
        return asked, None
    return asked, write_judgements(predictions, plan.rubric, plan.spec, runs, folder, facts, axes)


def ask_for_scores(
    predictions: Sequence[Prediction], plan: JudgePlan, limits: Limits, judge: Judge, ledger_path: Path
) -> tuple[Asked, list[list[Score]] | None, dict[str, Any]]:
    """Ask what the ledger does not hold yet; writes nothing but the ledger.

    Returns:
        How far it went; the scores of each run, None where questions are still open; what they rest on.

    Raises:
        As ``judge_with_model``.
    """
    check_predictions(predictions)  # before anything is paid for
    check_judgeable(predictions, plan.rubric)
    with Ledger(ledger_path) as ledger:
        asked = judge(judge_questions(predictions, plan), ledger, usable_verdict(plan), limits)
        if not asked.is_complete:
            return asked, None, {}
        asked.require_use()
        runs = collect_scores(predictions, plan, ledger, limits)
        facts = {**judge_facts(predictions, plan, ledger), "ledger": Path(ledger_path).name, "cost": asked.cost}
    return asked, runs, facts


def estimate(predictions: Sequence[Prediction], plan: JudgePlan, limits: Limits, ledger_path: Path) -> JudgingEstimate:
    """Requests, tokens and money that a call of ``judge_with_model`` would take; asks nothing.

    Raises:
        DataError: as ``judge_with_model``.
    """
    check_judgeable(predictions, plan.rubric)
    questions = judge_questions(predictions, plan)
    with Ledger(ledger_path) as ledger:
        stock = take_stock(questions, ledger, usable_verdict(plan), limits)
    left = len(stock.open)
    sent, answered = sum(estimate_tokens(questions[place].messages) for place in stock.open), TOKENS_OF_A_VERDICT * left
    cost = limits.price.of({"prompt_tokens": sent, "completion_tokens": answered}) if limits.price else None
    return JudgingEstimate(stock.asked.questions, left, sent, answered, cost)


def _one_by_one(ask: Ask | AsksAtOnce) -> Judge:
    return lambda questions, ledger, usable, limits: ask_all(questions, ask, ledger, usable, limits)
