"""The command that continues a run, as its user would type it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from .console import quote_words

RESUME = "run.resume=auto"
CONTINUE = "PEFOMED_CONTINUE"
"""Variable in which whoever starts the processes says how the run is continued."""


def continuing_command(cfg_path: str, options: Sequence[str]) -> str:
    """What continues this run, for the shell; ``pefomed train`` says its own in ``PEFOMED_CONTINUE``."""
    told = os.environ.get(CONTINUE)
    if told:
        return told
    if int(os.environ.get("GROUP_WORLD_SIZE", "1")) > 1:
        return f"the same torchrun command on every machine, with {RESUME} among its --options"
    processes = os.environ.get("LOCAL_WORLD_SIZE")
    start = ["torchrun", "--nproc-per-node", processes] if processes else ["python"]
    return quote_words([*start, sys.argv[0], "--cfg-path", cfg_path, "--options", *continuing_options(options)])


def continuing_options(options: Sequence[str]) -> list[str]:
    """The options of a run as they are to be when it is continued."""
    return [*(option for option in options if not option.startswith(("run.fresh=", "run.resume="))), RESUME]
