"""The folder of a run: what an earlier run left there is set aside, put back or gone on with, and never lost.

A run that has begun leaves ``unfinished.json`` with the command that continues it, and takes it away at its end.
Starting over such a run has to be asked for.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import ConfigError, DataError, why
from ..json_text import parse_json
from ..locks import NoLocks, has_ended, holder_of, take, write_holder
from ..storage import set_aside, why_unwritable, write_text
from .console import is_first_rank, say, say_once

MARKER = "unfinished.json"
_ORPHANS_S = 30.0
"""How long the lock of a process that is gone is waited for."""
_ANSWERS = ("predictions.jsonl", "answers.rank*.jsonl")


@dataclass
class RunFolder:
    """``run.output_dir`` of one run."""

    path: Path
    evaluate: bool
    """Whether the run only answers: then its place is ``results``, and what was trained there is left alone."""
    resume: bool
    """Whether it goes on, from what is there or from a checkpoint that is named."""
    fresh: bool
    """Whether the user asks to start over a run that is not finished."""
    command: str
    """What continues this run, for the shell."""

    @property
    def place(self) -> Path:
        """The part of the folder that the run writes."""
        return self.path / "results" if self.evaluate else self.path

    def check(self) -> None:
        """Refuse to start over a run that is not finished, unless it is asked for, and beside one that is running.

        Also where nothing can be written: before data and model are loaded.

        Raises:
            ConfigError: with the command that continues it, and how to start over; or who uses the folder; or why it
                cannot be written.
        """
        fault = why_unwritable(self.path) if is_first_rank() else ""
        if fault:
            raise ConfigError(f"run.output_dir: {self.path} cannot be written ({fault})")
        for path in self._locks():
            if path.is_file() and is_first_rank():
                with self._one_held(path):
                    pass
        command = _unfinished(self.place)
        if self.resume or self.fresh or command is None or not _has_begun(self.place):
            return
        raise ConfigError(
            f"{self.place} holds a run that is not finished",
            [f"to continue it: {command}", "to start over (it is renamed, not deleted): add run.fresh=true"],
        )

    @contextmanager
    def held(self) -> Iterator[None]:
        """Have the folder alone until the end, on the first rank for all of them; it ends with the process as well.

        Raises:
            ConfigError: another process has it; says which, and what to do.
        """
        if not is_first_rank():
            yield
            return
        with ExitStack() as stack:
            for path in self._locks():
                stack.enter_context(self._one_held(path))
            yield

    def _locks(self) -> list[Path]:
        """Beside the folder, which is renamed itself. A training has the results too, an evaluation them alone."""
        name, parent = self.path.name, self.path.absolute().parent
        results = parent / f".{name}.results.lock"
        return [results] if self.evaluate else [parent / f".{name}.lock", results]

    @contextmanager
    def _one_held(self, path: Path) -> Iterator[None]:
        handle = self._take(path)
        try:
            yield
        finally:
            if handle is not None:
                with suppress(OSError):
                    path.unlink()  # while it is held: whoever waits for it sees that it has no name any more
                os.close(handle)

    def _take(self, path: Path) -> int | None:
        """The handle of the locked file; None where there is nothing to lock, which is said."""
        deadline = time.monotonic() + _ORPHANS_S
        while True:
            handle = None
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
                take(handle, wait=False)
                if os.fstat(handle).st_nlink:
                    write_holder(handle)
                    return handle
                os.close(handle)  # its holder has just ended, and removed it
            except BlockingIOError:
                if handle is not None:
                    os.close(handle)
                # workers of a killed process hold its locks until they see that it is gone
                if not has_ended(path) or time.monotonic() > deadline:
                    raise ConfigError(
                        f"{self.place} is in use: {holder_of(path)}",
                        ["wait for it or stop it; or choose another folder: run.output_dir=..."],
                    ) from None
                time.sleep(0.1)
            except (NoLocks, OSError) as error:
                say_once(f"{self.place} is not locked ({path}: {why(error)}); start only one run in it at a time")
                return handle

    @contextmanager
    def used(self, config: str) -> Iterator[None]:
        """Make room, write ``config`` and the marker; take the marker away at the end.

        A run that fails before its first step gives the folder back to the earlier one. The exception of one that had
        begun gets the attribute ``to_continue``, the command.

        Raises:
            DataError: the folder cannot be renamed or written.
        """
        if not is_first_rank():
            yield
            return
        aside = self._make_room()
        try:
            self._keep_trainings_config()
            write_text(self.path / "config.yaml", config)
            write_text(self.place / MARKER, json.dumps({"command": self.command}) + "\n")
            yield
        except BaseException as error:
            if _has_begun(self.place):
                error.to_continue = self.command  # type: ignore[attr-defined]
            else:
                self._give_back(aside)
            raise
        (self.place / MARKER).unlink(missing_ok=True)

    def _keep_trainings_config(self) -> None:
        """An evaluation in the folder of a training does not overwrite what that was configured with."""
        config = self.path / "config.yaml"
        if self.evaluate and not self.resume and config.is_file() and any(self.path.glob("checkpoint_*.pth")):
            _rename(config)

    def _make_room(self) -> Path | None:
        """Rename what an earlier run left; its new name."""
        if self.resume:
            self._bring_back()
            return None
        occupied = self.place.exists() if self.evaluate else (self.path / "config.yaml").is_file()
        return _rename(self.place) if occupied else None

    def _bring_back(self) -> None:
        """Where there is nothing to go on from, look at what was set aside."""
        if _has_begun(self.place):
            return
        for aside in _set_aside_before(self.place):
            if _has_begun(aside) and _unfinished(aside) is not None:
                if self.place.exists():
                    _rename(self.place)
                aside.rename(self.place)
                say(f"{aside} holds the run that is not finished; it is {self.place} again")
                return
            if _has_begun(aside):
                say(f"{aside} holds an earlier run, which is left alone; name its checkpoint to go on from it")

    def _give_back(self, aside: Path | None) -> None:
        (self.place / MARKER).unlink(missing_ok=True)
        if aside is None:
            return
        failed = set_aside(self.place) if self.place.exists() else None
        aside.rename(self.place)
        wrote = f"; what this one wrote is in {failed}" if failed is not None else ""
        say(f"the run failed before its first step: {self.place} is the earlier run again{wrote}")


def _unfinished(place: Path) -> str | None:
    """The command that continues the run in ``place``; None where it is finished, or there is none."""
    try:
        return str(parse_json((place / MARKER).read_bytes())["command"])
    except OSError:
        return None
    except (ValueError, KeyError, TypeError):
        return "the command that started it, with run.resume=auto among its --options"


def _has_begun(place: Path) -> bool:
    """Whether a run in ``place`` has taken a step, saved a checkpoint or written an answer."""
    log = place / "log.jsonl"
    return (
        (log.is_file() and log.stat().st_size > 0)
        or any(place.glob("**/checkpoint_*.pth"))
        or any(answers.stat().st_size > 0 for name in _ANSWERS for answers in place.glob(f"**/{name}"))
    )


def _set_aside_before(place: Path) -> list[Path]:
    """What ``place`` was renamed to, the newest first."""
    numbered = [(path.name[len(place.name) + 1 :], path) for path in place.parent.glob(f"{place.name}.*")]
    return [path for number, path in sorted(((int(n), p) for n, p in numbered if n.isdigit()), reverse=True)]


def _rename(path: Path) -> Path:
    try:
        renamed = set_aside(path)
    except OSError as error:
        raise DataError(
            f"cannot rename {path} ({error.strerror}), which holds an earlier run; make its folder writable, or choose "
            "another run.output_dir"
        ) from error
    say(f"{path} was there already; it is now {renamed}")
    return renamed
