"""``pefomed audit judge``: what a judge makes of answers that were changed in ways that must or must not count."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..adapters.judge import LEDGER, ask_for_scores, estimate, find_judge
from ..errors import ConfigError
from ..records import Score
from ..reporting.audit import judge_table
from ..reporting.rendering import Shown
from ..rubrics import BUILT_IN, Rubric, find_rubric
from ..scoring.metrics_file import PREDICTIONS
from ..services.audit.judge_audit import count_kinds, median_verdicts
from ..services.audit.judge_probes import VERSION, JudgeProbe, judge_probes, probe_predictions
from ..services.judge import offline_judge
from ..services.judge.prompts import find_prompt
from ..storage import SCHEMA, write_json, write_records
from .judge import add_judge_arguments, asking_limits, asking_way, explain_unfinished, judge_plan, show_estimate
from .next_step import NextStep, again, pefomed
from .output import Output, add_json_argument

FILE = "audit.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--kind", action="append", default=[], choices=tuple(BUILT_IN), help="vqa, report (default: both)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("output/audit_judge"),
        metavar="DIR",
        help="folder of the ledger, the probes and audit.json (default output/audit_judge)",
    )
    add_judge_arguments(parser, runs=1, why="their median counts")
    parser.set_defaults(logprobs=False)
    add_json_argument(parser)
    parser.epilog = (
        "example: OPENAI_BASE_URL=http://127.0.0.1:8000/v1 pefomed audit judge --model Qwen/Qwen3-32B --kind report"
    )


def run(arguments: argparse.Namespace) -> Output:
    """Ask about every probe, and count what the verdicts did; goes on from the ledger where it was stopped."""
    kinds = arguments.kind or list(BUILT_IN)
    if arguments.rubric and len(kinds) > 1:
        raise ConfigError("a rubric of your own is for one kind: add --kind vqa or --kind report")
    shown: list[Shown] = []
    judged: dict[str, Any] = {}
    for kind in dict.fromkeys(kinds):
        rubric = find_rubric(kind, arguments.rubric)
        probes = judge_probes(rubric)
        runs, facts, lines = _ask(arguments, rubric, probes)
        shown += lines
        if runs is None:
            if arguments.dry_run:
                continue
            return Output({"complete": False, "judges": judged}, shown, int(facts["exit_code"]))
        figures = count_kinds(probes, median_verdicts(runs), rubric)
        shown += [judge_table(f"{facts['scorer']}, {len(probes)} probes of kind {kind}", figures), ""]
        judged[kind] = {**facts, "rubric": rubric.reference(), "kinds": [asdict(found) for found in figures]}
        write_records(arguments.out / kind / PREDICTIONS, probe_predictions(probes))
    data = {"complete": bool(judged), "probes": VERSION, "judges": judged}
    if judged:
        write_json(arguments.out / FILE, {"schema": SCHEMA, **data})
        shown.append(f"written to {arguments.out}")
    return Output(data, shown)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """Go on where it is not finished; else the scorers beside the judge."""
    return again(arguments, without=["--dry-run"]) if arguments.dry_run or exit_code else pefomed("audit")


def _ask(
    arguments: argparse.Namespace, rubric: Rubric, probes: list[JudgeProbe]
) -> tuple[Sequence[Sequence[Score]] | None, dict[str, Any], list[Shown]]:
    """Scores of every run, what they rest on, and what is to be said; no scores where it is not finished."""
    predictions, way = probe_predictions(probes), asking_way(arguments)
    if arguments.judge == "offline":
        offline = offline_judge.judge_offline(predictions, rubric, arguments.runs)
        return offline, {"scorer": offline_judge.spec_of(rubric).name, "model": offline_judge.NAME}, []
    limits = asking_limits(arguments)
    plan = judge_plan(arguments, find_prompt(rubric, arguments.prompt_file), way)
    ledger = arguments.ledger or arguments.out / LEDGER
    if arguments.dry_run:
        show_estimate(estimate(predictions, plan, limits, ledger))
        return None, {"exit_code": 0}, []
    # The texts are ours: nobody's permission is needed, so none is asked for.
    judge = find_judge(
        arguments.judge,
        arguments.model,
        [],
        arguments.timeout,
        batch=arguments.batch,
        leave_out=arguments.leave_out,
        endpoint=way.endpoint,
    )
    asked, runs, facts = ask_for_scores(predictions, plan, limits, judge, ledger)
    if runs is None:
        return None, {"exit_code": explain_unfinished(asked, ledger)}, []
    cost = "" if asked.cost is None else f", cost {asked.cost:.4f} in all"
    return (
        runs,
        {"scorer": plan.spec.name, **facts},
        [f"{asked.questions:,} judgements, {asked.requests:,} requests now{cost}"],
    )
