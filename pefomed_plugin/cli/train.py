"""``pefomed train``: starts the launcher under torchrun, with a process for every GPU of this machine."""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..environment import variables
from ..errors import ConfigError
from ..launch import FRESH
from ..offline import RANKS, VARIABLE, is_offline
from ..services.console import quote_words
from ..services.continuing import CONTINUE, continuing_options
from ..services.ending import lent
from ..services.outbound import FLAG
from .arguments import add_permission, add_run_arguments, count_from_1
from .next_step import NextStep, again

STANDALONE = "--standalone"
_LOGS = "PET_LOG_DIR"
"""torchrun's ``--log-dir``, where that is not among its arguments."""
_LAUNCHER = "pefomed_plugin.cli._launch"


def add_arguments(parser: argparse.ArgumentParser, command: str = "train") -> None:
    """Arguments of the command; ``pefomed evaluate`` has the same."""
    add_run_arguments(parser)
    parser.add_argument("--fresh", action="store_true", help=FRESH)
    parser.add_argument(
        "--nproc-per-node",
        type=count_from_1,
        metavar="N",
        help="processes on this machine (default: one a visible GPU, or 1)",
    )
    parser.add_argument(
        "--torchrun",
        default=STANDALONE,
        metavar="ARGUMENTS",
        help="further arguments of "
        "torchrun, in one string; for two machines '--nnodes 2 --rdzv-backend c10d --rdzv-endpoint "
        "HOST:29400' (default: %(default)s)",
    )
    add_permission(parser, "a judge or tracker elsewhere may get texts or curves of data that are not public")
    parser.add_argument("--dry-run", action="store_true", help="only print the torchrun command")
    example = {
        "train": "train_configs/pefomed_stage2.yaml --options run.output_dir=output/try",
        "evaluate": "eval_configs/pefomed_vqa_rad.yaml --options model.ckpt=output/stage2/checkpoint_last.pth",
    }[command]
    parser.epilog = f"example: pefomed {command} --cfg-path {example}"


def run(arguments: argparse.Namespace) -> int:
    """Print the torchrun command, run it, and return its exit code."""
    processes = arguments.nproc_per_node or _visible_gpus()
    with meeting_place(arguments) as torchrun:
        return _start(arguments, processes, torchrun)


def next_step(arguments: argparse.Namespace, _: int) -> NextStep | None:
    """Of a dry run the run; a run says its own at its end."""
    return again(arguments, without=["--dry-run"]) if arguments.dry_run else None


@contextmanager
def meeting_place(arguments: argparse.Namespace) -> Iterator[str]:
    """``--torchrun``; where PEFOMED_OFFLINE is set, processes meet through a file of this machine and not a server.

    What torchrun writes on the way, and would leave behind, is removed at the end.

    Raises:
        ConfigError: they would have to meet elsewhere.
    """
    if is_offline() and arguments.torchrun != STANDALONE:
        raise ConfigError(
            f"{VARIABLE} is set, and --torchrun {arguments.torchrun} would listen for processes of other machines; "
            "leave one of them out"
        )
    folder = tempfile.mkdtemp(prefix="pefomed-ranks-")
    settings = {RANKS: folder} if is_offline() else {}
    place = shlex.quote(os.path.join(folder, "rendezvous"))
    by_file = f"--rdzv-backend c10d --rdzv-conf store_type=file --rdzv-endpoint {place} --local-addr 127.0.0.1"
    try:
        with variables({_LOGS: os.environ.get(_LOGS) or os.path.join(folder, "logs"), **settings}):
            yield by_file if is_offline() else arguments.torchrun
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # a process that was told twice to end may still write there


def _start(arguments: argparse.Namespace, processes: int, torchrun: str) -> int:
    command = torchrun_arguments(arguments, processes, torchrun)
    threads = str(max(len(os.sched_getaffinity(0)) // processes, 1) if hasattr(os, "sched_getaffinity") else 1)
    setting = "" if os.environ.get("OMP_NUM_THREADS") else f"OMP_NUM_THREADS={threads} "
    print(f"{setting}{quote_words(['torchrun', *command])}", flush=True)
    if arguments.dry_run:
        return 0
    settings = {CONTINUE: continuing(arguments)}
    if setting:  # without it torchrun and accelerate warn, and choose their own
        settings["OMP_NUM_THREADS"] = threads
    with variables(settings):
        return run_torchrun(command)


def continuing(arguments: argparse.Namespace) -> str:
    """The command that continues the run, for the shell."""
    command = ["pefomed", arguments.command, "--cfg-path", arguments.cfg_path]
    if arguments.nproc_per_node:
        command += ["--nproc-per-node", str(arguments.nproc_per_node)]
    if arguments.torchrun != STANDALONE:
        command += ["--torchrun", arguments.torchrun]
    command += [FLAG] if arguments.i_have_permission else []
    return quote_words([*command, "--options", *continuing_options(arguments.options)])


def torchrun_arguments(arguments: argparse.Namespace, processes: int, torchrun: str = "") -> list[str]:
    """The arguments of ``torchrun``; the first of them, where not ``--torchrun``'s, are given."""
    command = [
        *shlex.split(torchrun or arguments.torchrun),
        "--nproc-per-node",
        str(processes),
        "-m",
        _LAUNCHER,
        arguments.command,
        "--cfg-path",
        arguments.cfg_path,
    ]
    command += ["--fresh"] if arguments.fresh else []
    command += [FLAG] if arguments.i_have_permission else []
    return command + (["--options", *arguments.options] if arguments.options else [])


def run_torchrun(command: Sequence[str]) -> int:
    """torchrun in this process; its exit code is that of the first process that failed, 128 + signal if one ended it.

    As a program of its own torchrun answers any failure with 1 and a traceback of itself.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException  # late: heavy
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError  # late: heavy
    from torch.distributed.run import main as torchrun  # late: heavy

    for name in ["torch.distributed.elastic", *logging.root.manager.loggerDict]:  # some have a level of their own
        if name.startswith("torch.distributed.elastic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with lent():
            torchrun(list(command))
    except ChildFailedError as error:
        return _explain(error)
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


def _explain(error: object) -> int:
    rank, failure = error.get_first_failure()  # type: ignore[attr-defined]
    code: int = failure.exitcode
    if code < 0:
        name = signal.Signals(-code).name
        why = ", as the system does when memory runs out; see pefomed doctor" if name == "SIGKILL" else ""
        print(f"error: process {rank} was ended by {name}{why}", file=sys.stderr)
        command = os.environ.get(CONTINUE)
        if command:  # the process could not say it
            print(f"to continue, if the run had begun: {command}", file=sys.stderr)
        return 128 - code
    if code == 1:  # its own traceback stands above; 2 and 130 have said what they are
        print(f"error: process {rank} failed, see its message above", file=sys.stderr)
    return code


def _visible_gpus() -> int:
    import torch  # late: heavy

    return max(torch.cuda.device_count(), 1)
