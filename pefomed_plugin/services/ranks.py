"""How a process of a run ends: with its own message, printed once, and not buried under those of the ranks it leaves.

Processes are those that ``torchrun`` started, or this one alone.
"""

from __future__ import annotations

import atexit
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, Callable, NoReturn

from ..errors import PefomedError, of_files, one_line
from .console import is_first_rank
from .ending import exit_code_of, unwinding
from .parallel import locked

_LOST = re.compile(r"gloo|NCCL|c10d|Connection (?:closed|reset) by peer|Broken pipe", re.IGNORECASE)
_GRACE_S = 2.0
"""A rank that lost another waits so long before it ends: torchrun then sees first which one failed first."""


def end_process(code: int) -> NoReturn:
    """End the process; one of several ranks without what C++ does at the end.

    Now and then a thread of torch's that is still there then aborts the rank ("terminate called without an active
    exception"), whose run is written, and torchrun calls the run failed. Python's own endings take place.
    """
    if _is_one_of_many():
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def report_errors(run: Callable[[], Any]) -> int:
    """Do ``run`` as a whole process and return the exit code.

    A user's mistake, or a full disk, is one message, from whichever rank meets it first; a failure of the program keeps
    its traceback, headed by its rank, and torchrun repeats it at the end; a rank that ends because another did says so
    in a line.
    """
    try:
        with unwinding():
            _recorded(run)()
    except PefomedError as error:
        _print_once(f"error: {error}")
        _say_how_to_continue(error)
        return error.exit_code
    except KeyboardInterrupt as error:
        _print_once(str(error) or "interrupted")
        _say_how_to_continue(error)
        return exit_code_of(error)
    except Exception as error:
        text = of_files(error)
        if text:
            _print_once(f"error: {text}")
            _say_how_to_continue(error)
            return PefomedError.exit_code
        if _is_one_of_many() and _has_lost_a_rank(error):
            print(
                f"rank {os.environ['RANK']}: ends because another rank did, whose message stands above "
                f"({one_line(error, 80)})",
                file=sys.stderr,
                flush=True,
            )
            _say_how_to_continue(error)
            time.sleep(_GRACE_S)
            return 1
        if _is_one_of_many():
            print(f"rank {os.environ['RANK']} failed:", file=sys.stderr, flush=True)
        _say_how_to_continue(error)
        raise
    return 0


def _say_how_to_continue(error: BaseException) -> None:
    """Print the command, where the run had begun (``services.run_folder`` notes it on the first rank's exception)."""
    command = getattr(error, "to_continue", "")
    if command:
        _print_once(f"to continue: {command}")


def _recorded(run: Callable[[], Any]) -> Callable[[], Any]:
    """``run`` with its exception left for torchrun, which shows the first of all ranks in its summary."""
    if "TORCHELASTIC_ERROR_FILE" not in os.environ:
        return run
    from torch.distributed.elastic.multiprocessing.errors import get_error_handler  # late: heavy

    def recorded() -> Any:
        try:
            return run()
        except Exception as error:
            # a user's mistake needs no traceback; a lost rank is not the cause, and may be written before the cause is
            if not isinstance(error, PefomedError) and not of_files(error) and not _has_lost_a_rank(error):
                get_error_handler().record_exception(error)
            raise

    return recorded


def _is_one_of_many() -> bool:
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def _has_lost_a_rank(error: BaseException) -> bool:
    """Whether it is what torch.distributed raises in a rank whose partner is gone."""
    return isinstance(error, RuntimeError) and not isinstance(error, PefomedError) and bool(_LOST.search(str(error)))


def _print_once(text: str) -> None:
    """Print to stderr unless another rank of this machine has printed the same; torchrun gives them a common folder."""
    error_file = os.environ.get("TORCHELASTIC_ERROR_FILE")
    if not error_file or not _is_one_of_many():
        print(text, file=sys.stderr, flush=True)
        return
    below_bar = "\n" if sys.stderr.isatty() and not is_first_rank() else ""  # of the first rank, which still stands
    said = Path(error_file).parent.parent / "said"
    with locked(said.with_name("said.lock")):
        before = said.read_text(encoding="utf-8") if said.is_file() else ""
        if text + "\n" not in before:
            print(below_bar + text, file=sys.stderr, flush=True)
            said.write_text(before + text + "\n", encoding="utf-8")
