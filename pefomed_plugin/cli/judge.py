"""``pefomed judge``: a language model says of every prediction whether it means the same as the reference."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..adapters.judge import LEDGER, JudgingEstimate, estimate, find_judge, judge_offline, judge_with_model, model_name
from ..errors import ConfigError
from ..records import Prediction
from ..reporting.figures import repeated_table
from ..reporting.rendering import show_table
from ..rubrics import BUILT_IN, find_rubric
from ..scoring.breakdown import check_axes
from ..services.ending import FATAL
from ..services.judge import offline_judge
from ..services.judge.chat import CHAT, ENDPOINTS
from ..services.judge.judging import JudgePlan
from ..services.judge.prices import read_price
from ..services.judge.prompts import JudgePrompt, find_prompt
from ..services.judge.refusals import OPTIONAL
from ..services.judge.server import server_url
from ..services.judge.settling import Asked, Limits
from ..services.judge.ways import Way
from ._answers import read_answers
from .arguments import (
    above_0,
    add_permission,
    add_predictions,
    add_rubric,
    add_score_arguments,
    count_from_0,
    count_from_1,
    from_0,
    whole_number,
)
from .next_step import NextStep, again, pefomed, scored_answers
from .parsing import refuse_flags

_OF_A_MODEL = (
    "--model", "--seed", "--temperature", "--max-tokens", "--prompt-file", "--batch", "--ledger", "--concurrency",
    "--reasks", "--leave-out", "--timeout", "--prices", "--max-cost", "--max-requests", "--dry-run",
)  # fmt: skip
"""Flags that have no meaning where words are compared."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("kind", choices=tuple(BUILT_IN), help="vqa: right or wrong; report: 0 to 4 (WASM)")
    add_predictions(parser)
    add_judge_arguments(parser, runs=10, why="as the paper")
    add_score_arguments(parser)
    add_permission(parser, "send the texts of a data set that is not public to a server elsewhere")
    parser.add_argument(
        "--logprobs",
        action="store_true",
        help="ask for the probabilities of the verdict: metrics.json has their mean as a soft score",
    )
    parser.epilog = (
        "example: OPENAI_BASE_URL=http://127.0.0.1:8000/v1 pefomed judge vqa "
        "output/eval/results/vqa_rad-test/predictions.jsonl --model Qwen/Qwen3-32B --runs 10"
    )


def add_judge_arguments(parser: argparse.ArgumentParser, runs: int, why: str) -> None:
    """Which judge is asked, and how; ``runs`` is the default, for the reason ``why``."""
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME",
        help="model that judges, as the server names it; with --judge local its folder",
    )
    parser.add_argument(
        "--judge",
        default="api",
        choices=("api", "offline", "local"),
        help="api: an OpenAI-compatible server (OPENAI_API_KEY, OPENAI_BASE_URL, Azure's variables); "
        "local: a Hugging Face model in this process; offline: shared words, no model",
    )
    parser.add_argument(
        "--runs", type=count_from_1, default=runs, help=f"judgements of each text (default {runs}, {why})"
    )
    parser.add_argument("--seed", type=whole_number, default=0, help="run k is asked with seed + k")
    parser.add_argument("--temperature", type=from_0, help="default: the server's own")
    parser.add_argument("--max-tokens", type=count_from_0, default=1024, help="limit of a reply; 0: the server's own")
    add_rubric(parser, "levels of your own, YAML or JSON (docs/judging.md)")
    parser.add_argument("--prompt-file", type=Path, metavar="FILE", help="template of your own (docs/judging.md)")
    parser.add_argument("--batch", action="store_true", help="through OpenAI's Batch API: cheaper, within a day")
    add_asking_arguments(parser)
    parser.add_argument(
        "--structured", action="store_true", help="ask for JSON with a reason and one of the levels (json_schema)"
    )


def add_asking_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that asks a server."""
    parser.add_argument("--ledger", type=Path, metavar="FILE", help="paid replies (default: beside the results)")
    parser.add_argument(
        "--concurrency", type=count_from_1, default=16, metavar="N", help="requests at a time (default 16)"
    )
    parser.add_argument(
        "--reasks", type=count_from_0, default=2, metavar="K", help="repeats of a reply without a usable answer"
    )
    parser.add_argument(
        "--leave-out",
        action="append",
        default=[],
        choices=OPTIONAL,
        metavar="NAME",
        help=f"do not send this; may be repeated: {', '.join(OPTIONAL)}",
    )
    parser.add_argument(
        "--endpoint", default=CHAT, choices=ENDPOINTS, help="chat completions, or OpenAI's Responses API"
    )
    parser.add_argument(
        "--reasoning-effort", default="", metavar="LEVEL", help="of models that think: low, medium, high, ..."
    )
    parser.add_argument("--timeout", type=above_0, default=120.0, metavar="SECONDS", help="for all of one request")
    parser.add_argument(
        "--prices",
        type=Path,
        metavar="FILE",
        help='JSON: {"model": {"input": 2.5, "output": 10}}, for a million tokens',
    )
    parser.add_argument("--max-cost", type=above_0, help="stop before all replies cost more than this; needs --prices")
    parser.add_argument("--max-requests", type=count_from_1, help="stop after so many requests")
    parser.add_argument("--dry-run", action="store_true", help="print requests, tokens and cost, and ask nothing")


def run(arguments: argparse.Namespace) -> int:
    """Judge, or estimate; says how to go on where it is not finished."""
    predictions = read_answers(arguments.predictions)
    check_axes(arguments.by, predictions)
    folder = arguments.out or arguments.predictions.parent
    rubric = find_rubric(arguments.kind, arguments.rubric)
    prompt = find_prompt(rubric, arguments.prompt_file)
    way = asking_way(arguments)
    if arguments.judge == "offline":
        return _show(
            predictions,
            offline_judge.spec_of(rubric).name,
            judge_offline(predictions, rubric, arguments.runs, folder, arguments.by),
            folder,
        )
    limits, plan = asking_limits(arguments), judge_plan(arguments, prompt, way)
    ledger = arguments.ledger or folder / LEDGER
    if arguments.dry_run:
        show_estimate(estimate(predictions, plan, limits, ledger))
        return 0
    judge = find_judge(
        arguments.judge,
        arguments.model,
        predictions,
        arguments.timeout,
        arguments.i_have_permission,
        arguments.batch,
        arguments.leave_out,
        way.endpoint,
    )
    asked, metrics = judge_with_model(predictions, plan, limits, judge, ledger, folder, arguments.by)
    if metrics is None:
        return explain_unfinished(asked, ledger)
    cost = "" if asked.cost is None else f", cost {asked.cost:.4f} in all"
    print(f"{asked.questions:,} judgements, {asked.requests:,} requests now{cost}")
    return _show(predictions, plan.spec.name, metrics, folder)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """Go on where it is not finished; else the average of reports, or a hundred answers for people."""
    if arguments.dry_run or exit_code:
        return again(arguments, without=["--dry-run"])
    if arguments.kind == "report":
        return pefomed("wasm", scored_answers(arguments))
    return pefomed("rate", "serve", scored_answers(arguments), "--random", "100")


def asking_way(arguments: argparse.Namespace) -> Way:
    """How a server is asked.

    Raises:
        ConfigError: another judge, which cannot be asked so, or takes no model.
    """
    if arguments.judge == "offline":
        refuse_flags(
            arguments,
            _OF_A_MODEL,
            "--judge offline compares words and asks no model; leave out, or let one judge (--judge api)",
        )
    way = Way(arguments.endpoint, arguments.reasoning_effort, arguments.structured, arguments.logprobs)
    if arguments.judge != "api" and way != Way():
        raise ConfigError(
            "--endpoint, --reasoning-effort, --structured and --logprobs are for a server; leave them out with "
            f"--judge {arguments.judge}"
        )
    return way


def judge_plan(arguments: argparse.Namespace, prompt: JudgePrompt, way: Way) -> JudgePlan:
    """``JudgePlan`` from the arguments. Raises ConfigError: no model is named, or the address is none."""
    return JudgePlan(
        model_name(arguments.judge, arguments.model),
        prompt,
        arguments.runs,
        arguments.seed,
        arguments.temperature,
        arguments.max_tokens or None,
        server_url() if arguments.judge == "api" else "",
        way,
    )


def asking_limits(arguments: argparse.Namespace) -> Limits:
    """``Limits`` from the arguments. Raises ConfigError listing what cannot be used."""
    return Limits(
        arguments.concurrency,
        arguments.reasks,
        arguments.max_requests,
        arguments.max_cost,
        read_price(arguments.prices, arguments.model),
    )


def show_estimate(found: JudgingEstimate) -> None:
    print(f"{found.questions:,} questions, {found.requests:,} of them not in the ledger yet")
    print(f"about {found.prompt_tokens:,} tokens to send and {found.completion_tokens:,} to receive")
    print(
        f"about {found.cost:.2f}, by the price table"
        if found.cost is not None
        else "no cost without a price table (--prices FILE)"
    )


def explain_unfinished(asked: Asked, ledger: Path) -> int:
    """Say what is missing and how to go on; the exit code: 128 + the signal that ended it, else 1."""
    why = f"; {asked.stopped}" if asked.stopped else ""
    print(
        f"unfinished: {asked.settled:,} of {asked.questions:,} questions answered, {asked.requests:,} requests "
        f"sent{why}"
    )
    for reason, count in asked.without_reply.most_common():
        print(f"  no reply to {count:,} questions: {reason}")
    if asked.let_go:
        print(f"  {asked.let_go:,} requests were in flight: they may have been paid for, and are asked again")
    print(
        f"{ledger} holds every reply that came back; start the same command again to go on without paying for them "
        "twice"
    )
    return FATAL + asked.told if asked.told else 1


def _show(predictions: Sequence[Prediction], scorer: str, metrics: Mapping[str, Any], folder: Path) -> int:
    title, floor = f"{scorer}, {predictions[0].dataset} {predictions[0].split}", metrics.get("floors", {}).get(scorer)
    show_table(repeated_table(title, metrics["scores"][scorer], floor))
    print(f"written to {folder}")
    return 0
