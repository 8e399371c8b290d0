"""``pefomed doctor``: is this machine ready for a run, and if not, what to do? Writes nothing."""

from __future__ import annotations

import argparse

from ..doctor.findings import finding_lines, is_broken, to_json
from ..errors import ConfigError
from .arguments import add_run_arguments
from .next_step import STAGE_2, NextStep, again, pefomed, with_options
from .output import Output, add_json_argument


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_run_arguments(
        parser,
        "check the paths and settings of this run (default: those of the PEFOMED_ variables)",
        "as the run will get them",
        required=False,
    )
    add_json_argument(parser)
    parser.epilog = """example: pefomed doctor --cfg-path train_configs/pefomed_stage2.yaml

exit codes: 0 ready (notes and warnings do not hinder a run), 1 something that is needed is broken"""


def run(arguments: argparse.Namespace) -> Output:
    """Run the checks; exit code 1 if something that is needed is broken."""
    from ..doctor.run import check_up  # late: loads torch

    if arguments.options and arguments.cfg_path is None:
        raise ConfigError("--options change a run; name it with --cfg-path")
    findings = check_up(arguments.cfg_path, arguments.options)
    return Output(to_json(findings), finding_lines(findings), int(is_broken(findings)))


def next_step(arguments: argparse.Namespace, exit_code: int) -> NextStep:
    """Train; where something is broken, look again once it is not."""
    if exit_code:
        return again(arguments)
    if arguments.cfg_path is None:
        return pefomed("doctor", "--cfg-path", STAGE_2)
    return with_options("train", arguments)
