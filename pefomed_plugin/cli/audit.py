"""``pefomed audit``: what scorers make of answers whose worth is known."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..environment import check_sample_folder, sample_folder
from ..errors import ConfigError, DataError
from ..readers import DATASETS, read_data
from ..records import Sample
from ..reporting.audit import audit_table, harness_table, probes_table, reward_table
from ..reporting.rendering import Shown
from ..requirements import missing
from ..scoring import SCORERS, find_scorer
from ..scoring.lexical import one_meteor
from ..scoring.probes import PROBES
from ..scoring.spec import ScorerSpec
from ..services.audit.harness_calls import AuditedSet, Counted, call_on, sets_of
from ..services.audit.harness_process import Limits
from ..services.audit.harnesses import HARNESSES, Harness, find_harness
from ..services.audit.judges import known_judges
from ..services.audit.scorers import OFF, RIGHT, Finding, audit_scorer, probe_answers
from ..services.console import say
from . import audit_judge
from .arguments import any_number, whole_number
from .next_step import NextStep, pefomed
from .output import Output, add_json_argument

_STAGE = 2
"""Of the generated sample, the data sets of this stage are looked at: captions are reports to a scorer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="DATASET=DIR",
        help="release of a data set, or a prepared folder; may be repeated (default: the generated sample)",
    )
    parser.add_argument(
        "--scorer", action="append", default=[], metavar="NAME", help="only this one; may be repeated (default: all)"
    )
    parser.add_argument(
        "--reward",
        action="append",
        default=[],
        metavar="NAME",
        help="what this scorer pays as a reward for the same answers, in place of the audit; may be repeated",
    )
    parser.add_argument(
        "--reports",
        type=whole_number,
        default=200,
        metavar="N",
        help="look at N reports, evenly chosen (default 200; 0: all)",
    )
    parser.add_argument("--every-figure", action="store_true", help="show the figures of open and closed questions too")
    parser.add_argument(
        "--harness",
        action="append",
        default=[],
        metavar="NAME[=DIR]",
        help=f"also let another project count, whose code is run: {', '.join(HARNESSES)}; DIR: its checkout",
    )
    parser.add_argument(
        "--harness-python",
        default=sys.executable,
        metavar="FILE",
        help="interpreter that has the packages of the harnesses (default: this one)",
    )
    parser.add_argument(
        "--harness-timeout", type=any_number, default=300.0, metavar="SECONDS", help="for one data set (default 300)"
    )
    add_json_argument(parser)
    actions = parser.add_subparsers(dest="action", metavar="[judge]")
    judge = actions.add_parser("judge", help="what a judge makes of answers that were changed: pefomed audit judge -h")
    audit_judge.add_arguments(judge)
    parser.epilog = "example: pefomed audit --data vqa_rad=data/vqa_rad --data slake=data/slake"


def run(arguments: argparse.Namespace) -> Output:
    """Try every scorer on every data set; exit code 1 where a figure is not what its scorer declares."""
    if arguments.action == "judge":
        if arguments.data or arguments.scorer or arguments.harness or arguments.reward:
            raise ConfigError(
                "--data, --scorer, --reward and --harness are of pefomed audit; a judge is audited with our own texts"
            )
        return audit_judge.run(arguments)
    if arguments.reports < 0:
        raise ConfigError(f"--reports must be at least 0, not {arguments.reports}")
    if arguments.reward:
        return _rewards(arguments)
    specs, left_out = _scorers(arguments.scorer)
    harnesses = _harnesses(arguments.harness)
    sets = _read_sets(arguments.data, arguments.reports)
    for harness, _ in harnesses:
        sets_of(harness, sets)  # before anything is computed
    limits = Limits(arguments.harness_python, arguments.harness_timeout)
    shown: list[Shown] = []
    findings: list[Finding] = []
    probed: set[str] = set()
    with one_meteor():
        for tested in sets:
            answers = probe_answers(tested.samples)
            probed.update(answers)
            found = [
                finding
                for spec in specs
                if tested.samples[0].task in spec.tasks
                for finding in audit_scorer(spec, answers)
            ]
            if found:
                shown += [audit_table(tested.title, found, every_figure=arguments.every_figure), ""]
            findings += found
    if not findings:
        raise DataError("none of these scorers says what it gives for samples of these data sets")
    called = [found for harness, folder in harnesses for found in call_on(harness, folder, sets, limits)]
    for result in called:
        shown += [harness_table(result, every_figure=arguments.every_figure), ""]
    off = [found for found in findings if found.verdict == OFF]
    right = sum(found.verdict == RIGHT for found in findings)
    shown += [
        probes_table([name for name in PROBES if name in probed]),
        *left_out,
        f"{right:,} figures of {len({found.scorer for found in findings})} scorers as declared, {len(off):,} off",
    ]
    data = {
        "sets": sum((Counter({tested.name: len(tested.samples)}) for tested in sets), Counter()),
        "findings": [asdict(found) for found in findings],
        "harnesses": [{**asdict(found), "figures": list(map(_figure, found.figures))} for found in called],
        "left_out": left_out,
        "off": len(off),
    }
    return Output(data, shown, 1 if off else 0)


def _rewards(arguments: argparse.Namespace) -> Output:
    """What each reward pays; exit code 1 where it overpays an answer that is none."""
    from ..rewards import Earned, earnings, reward  # late: loads PIL

    if arguments.scorer or arguments.harness or arguments.every_figure:
        raise ConfigError("--reward stands alone: --scorer, --harness and --every-figure are about scorers")
    rewards = [reward(name) for name in arguments.reward]
    shown: list[Shown] = []
    found: dict[str, dict[str, list[Earned]]] = {}
    with one_meteor():
        for tested in _read_sets(arguments.data, arguments.reports):
            for one in rewards:
                earned = earnings(one, tested.samples) if tested.samples[0].task in one.spec.tasks else []
                if earned:
                    found.setdefault(one.name, {})[tested.name] = earned
                    shown += [reward_table(f"{one.name}: {tested.title}", one.range, earned), ""]
    unused = [one.name for one in rewards if one.name not in found]
    if unused:
        raise DataError(f"{', '.join(unused)}: not for the tasks of these data sets; give others with --data")
    overpaid = sum(row.is_overpaid for sets in found.values() for rows in sets.values() for row in rows)
    shown.append(
        f"{overpaid} kinds of answers are paid for more than is right of them: a policy can learn them"
        if overpaid
        else "nothing is paid for more than is right of it"
    )
    data = {
        "rewards": {name: {key: list(map(asdict, rows)) for key, rows in sets.items()} for name, sets in found.items()},
        "overpaid": overpaid,
    }
    return Output(data, shown, 1 if overpaid else 0)


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """The judge that needs no model, tried in the same way."""
    if arguments.action == "judge":
        return audit_judge.next_step(arguments, exit_code)
    if arguments.reward:
        return pefomed("audit", *(word for name in arguments.reward for word in ("--scorer", name)))
    return pefomed("audit", "judge", "--judge", "offline")


def _figure(counted: Counted) -> dict[str, Any]:
    return {**asdict(counted), "right": counted.is_right}


def _harnesses(given: Sequence[str]) -> list[tuple[Harness, Path | None]]:
    """Harnesses and where their checkouts are. Raises ConfigError where one cannot be called."""
    pairs = [(name, Path(folder) if sign else None) for name, sign, folder in (value.partition("=") for value in given)]
    return [(find_harness(name, folder), folder) for name, folder in pairs]


def _scorers(named: Sequence[str]) -> tuple[list[ScorerSpec], list[str]]:
    """Those to try, and a line for each that is not.

    Raises:
        ConfigError: no scorer has a name that was given, or it declares nothing.
    """
    judges = {spec.name: spec for spec in known_judges()}
    known = [*SCORERS, *judges]
    found = [judges[name] if name in judges else find_scorer(name) for name in named or known]
    left_out, tried = [], []
    for spec in found:
        absent = missing(spec.needs)
        if not spec.known:
            left_out.append(f"not audited: {spec.name} declares nothing about known answers (docs/extending.md)")
        elif spec.unasked and not named:
            left_out.append(f"not audited: {spec.name}, because {spec.unasked}; --scorer {spec.name} audits it")
        elif absent:
            left_out.append(f"not audited: {spec.name}; {absent[0].message}")
        else:
            tried.append(spec)
    if not tried:
        raise ConfigError("nothing to audit", left_out)
    return tried, left_out


def _read_sets(given: Sequence[str], reports: int) -> list[AuditedSet]:
    """The test samples of each data set.

    Raises:
        ConfigError: ``--data`` of another form.
        DataError: a data set has no test split.
    """
    wrong = [repr(value) for value in given if not all(value.partition("="))]
    if wrong:
        raise ConfigError("--data cannot be read; write it as DATASET=DIR", wrong)
    places = [(name, Path(folder)) for name, _, folder in (value.partition("=") for value in given)] or _draw()
    sets = []
    for name, folder in places:
        samples = read_data(DATASETS.find(name).name, folder).splits().get("test", [])
        if not samples:
            raise DataError(f"{folder}: no test split; an audit needs one")
        for task in dict.fromkeys(sample.task for sample in samples):
            of_task = [sample for sample in samples if sample.task == task]
            sets.append(AuditedSet(name, folder, *_chosen(name, of_task, reports)))
    return sets


def _draw() -> list[tuple[str, Path]]:
    from ..embedded import DRAWN, make_sample  # late: loads PIL

    check_sample_folder()
    folder = sample_folder()
    drawn = [name for name in DRAWN if DATASETS[name].stage == _STAGE]
    make_sample(folder, parts=drawn)
    say(f"no --data: the generated sample, {folder}")
    return [(name, folder / name) for name in drawn]


def _chosen(name: str, samples: list[Sample], most: int) -> tuple[str, list[Sample]]:
    """Title and samples of one task: all questions; of reports ``most``, from all over the set."""
    if samples[0].task == "vqa":
        return f"{name}-test, {len(samples):,} questions", samples
    if not most or len(samples) <= most:
        return f"{name}-test, {len(samples):,} reports", samples
    chosen = [samples[place * len(samples) // most] for place in range(most)]
    return f"{name}-test, {most:,} of {len(samples):,} reports", chosen
