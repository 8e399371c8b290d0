"""``pefomed compare``: the paper's ablation tables from any set of runs, and each run under all its evaluations."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import ConfigError
from ..reporting.comparison.compare import compare_runs, to_json
from ..reporting.comparison.groups import group_tables, has_right_or_wrong
from ..reporting.leaks import parting_axes
from ..reporting.reliance import reliance_tables
from ..reporting.rendering import to_data
from ..storage import write_json, write_text
from .arguments import add_axes, add_evaluations, make_room, read_evaluations
from .next_step import NextStep, page_of
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_evaluations(parser, "the first is what the others are tested against")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write compare.json or compare.md")
    add_axes(parser, "also each run's evaluations (the paper's tables 3 and 4)")
    add_json_argument(parser)
    parser.epilog = "example: pefomed compare output/none output/both --label none --label both --out compare.md"


def run(arguments: argparse.Namespace) -> Output:
    """Read the runs, compare them, write what ``--out`` names."""
    from ..reporting.comparison.compare_tables import comparison_markdown, comparison_view  # late: loads PIL
    from ..reporting.comparison.evaluations import evaluate_runs, evaluations_to_json  # late: loads PIL
    from ..reporting.comparison.findings import find  # late: loads PIL

    if arguments.out and arguments.out.suffix not in (".json", ".md"):
        raise ConfigError(f"--out {arguments.out}: end its name with .json or .md")
    runs = read_evaluations(arguments)
    parted = [axis for axis in parting_axes(runs) if axis not in arguments.by]
    tables, evaluations = compare_runs(runs), evaluate_runs(runs)
    groups = [*group_tables(runs, arguments.by), *(group_tables(runs, parted) if has_right_or_wrong(runs) else [])]
    looked, findings = reliance_tables(runs), find(runs, tables, [*arguments.by, *parted])
    data = {
        **to_json(tables),
        "evaluations": evaluations_to_json(evaluations),
        "groups": list(map(to_data, groups)),
        "reliance": list(map(to_data, looked)),
        **findings.data,
    }
    further = [*groups, *findings.tables, *looked]
    if arguments.out is not None:
        make_room(arguments.out)
    if arguments.out is not None and arguments.out.suffix == ".json":
        write_json(arguments.out, data)
    elif arguments.out is not None:
        write_text(arguments.out, comparison_markdown(tables, evaluations, further, findings.lines))

    written = [] if arguments.out is None else [f"written to {arguments.out}"]
    return Output(data, [*comparison_view(tables, evaluations, further, findings.lines), *written])


def next_step(arguments: argparse.Namespace, _: int) -> NextStep:
    """The same runs on one page."""
    labels = [part for label in arguments.label for part in ("--label", label)]
    return page_of(*arguments.runs, more=labels)
