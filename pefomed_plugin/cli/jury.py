"""``pefomed jury``: the verdicts of several judges as one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, near_names
from ..reporting.figures import INTERVAL, repeated_table
from ..reporting.table import COUNT, FIGURE, Cell, Column, Table
from ..scoring.agreement import Statistic
from ..scoring.breakdown import check_axes
from ..scoring.intervals import Interval
from ..scoring.ratings import is_judge, model_of
from ..services.judge.offline_judge import NAME
from ..services.judgements import find_repeated
from ..services.jury import judge_by_jury
from ._answers import read_answers
from .arguments import add_axes
from .next_step import NextStep, pefomed
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "predictions",
        type=Path,
        metavar="PREDICTIONS",
        help="predictions.jsonl that pefomed judge has judged, once with each model",
    )
    parser.add_argument(
        "--judges",
        metavar="A,B,C",
        help="models that vote, or whole names of their scores (default: all that judged these predictions, but the "
        "offline judge)",
    )
    add_axes(parser)
    add_json_argument(parser)
    parser.epilog = (
        "example: pefomed jury output/eval/results/vqa_rad-test/predictions.jsonl --judges gpt-4o,qwen3,phi-4"
    )


def run(arguments: argparse.Namespace) -> Output:
    """Let them vote, and write the verdicts beside theirs."""
    predictions, folder = read_answers(arguments.predictions), arguments.predictions.parent
    check_axes(arguments.by, predictions)
    names = _named(arguments.judges, [name for name in find_repeated(folder) if is_judge(name)])
    verdicts, metrics = judge_by_jury(predictions, names, folder, arguments.by)
    name = verdicts.spec.name
    facts: Mapping[str, Any] = metrics["judges"][name]
    lines = [
        f"ties, left without a verdict: {facts['ties']:,}; verdicts without a vote of all: {facts['incomplete']:,}",
        f"the judges by themselves: {_mean(facts['mean'])}",
        "cost of their replies: " + _cost(facts["jury"]),
        f"written to {folder}",
    ]
    title = f"{name}, {predictions[0].dataset} {predictions[0].split}"
    tables = [repeated_table(title, metrics["scores"][name], metrics.get("floors", {}).get(name)), _agreement(facts)]
    return Output({"jury": name, "figures": metrics["scores"][name], **facts}, [*tables, "\n".join(lines)])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """How far the verdicts agree with exact match and people."""
    return pefomed("agree", arguments.predictions)


def _named(given: str | None, there: list[str]) -> list[str]:
    """Names of scores, of models that are named, or of all.

    Raises:
        ConfigError: one did not judge these predictions, or is named twice.
    """
    models: dict[str, list[str]] = {}
    for name in there:
        models.setdefault(model_of(name), []).append(name)
    if given is None:
        return [name for name in there if model_of(name) != NAME]
    chosen, problems = [], []
    for wanted in (part.strip() for part in given.split(",") if part.strip()):
        found = [wanted] if wanted in there else models.get(wanted, [])
        if not found:
            problems.append(f"{wanted!r} has not judged these predictions; {near_names(wanted, models)}")
        elif len(found) > 1:
            problems.append(f"{wanted!r} has judged by several rubrics; give one of {', '.join(found)}")
        elif found[0] in chosen:
            problems.append(f"{wanted!r} is named twice; a judge has one vote")
        chosen += found
    if problems:
        raise ConfigError("--judges cannot be used", problems)
    return sorted(chosen)


def _agreement(facts: Mapping[str, Any]) -> Table:
    rows = [*facts["kappa"].items(), ("all (Krippendorff's alpha)", facts["alpha"])]
    found = [(pair, Statistic(row["value"], Interval(**row["interval"]), row["reason"])) for pair, row in rows]
    return Table(
        "agreement of the judges (Cohen's kappa; on levels with quadratic weights)",
        [
            Column("", lambda row: row[0]),
            Column("value", lambda row: Cell(row[1].value, digits=2, reason=row[1].reason or ""), FIGURE),
            Column(INTERVAL, lambda row: Cell(interval=row[1].interval, digits=2), FIGURE),
            Column("differ", lambda row: facts["differ"].get(row[0]), COUNT),
        ],
        found,
    )


def _mean(figure: Mapping[str, Any]) -> str:
    if figure["value"] is None:
        return "no figure"
    unit = f" {figure['unit']}" if figure.get("unit") else ""
    spread = "" if figure.get("sd") is None else f" \u00b1 {figure['sd']:.2f} (SD over {figure['runs']} judges)"
    return f"{figure['value']:.2f}{unit}{spread}"


def _cost(members: Mapping[str, Mapping[str, Any]]) -> str:
    known = {name: member["cost"] for name, member in members.items() if member.get("cost") is not None}
    if not known:
        return "not known, judged without a price table (--prices)"
    missing = "" if len(known) == len(members) else f" of {len(known)} of {len(members)} judges"
    return f"{sum(known.values()):.4f}{missing}"
