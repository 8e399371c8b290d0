"""What a run's logs say of its training: curves, validation, how far it is. Reads text only."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import ConfigError, DataError, PefomedError, one_line
from ...input_files import read_bytes
from ...json_text import parse_json
from ...provenance import read_training_record
from ..durations import time_in_words

LOG, EPOCHS = "log.jsonl", "epochs.jsonl"
QUIET_S = 600
"""A log that grew no more for so long is told as quiet: the run waits, answers, or is gone."""


class Curve(NamedTuple):
    """One value a step."""

    key: str
    """In ``log.jsonl``."""
    title: str


CURVES = (
    Curve("loss", "training loss"),
    Curve("lr", "learning rate"),
    Curve("grad_norm", "gradient norm"),
    Curve("tokens_per_s", "answer tokens a second"),
)
_COPIED_S = 300
"""Files of a folder that was copied are as old as each other, in whatever order."""
VALID = "valid/loss"
NOT_FINITE = "not finite"
_NUMBERS = (*(curve.key for curve in CURVES), "samples", "samples_per_s", "iterations")
"""What is read of a line besides its iteration and the validation's losses: numbers, or null."""


@dataclass(frozen=True)
class Training:
    """One run's training as far as it is."""

    name: str
    folder: Path
    steps: Sequence[Mapping[str, Any]]
    """Lines of ``log.jsonl``, oldest first."""
    epochs: Sequence[Mapping[str, Any]]
    """After each epoch that has ended: ``iteration``, ``epoch``, ``valid/loss`` and ``valid/loss/<data set>``."""
    iterations: int | None
    """Of the whole run; None: an earlier version wrote the log."""
    written_s_ago: float
    """Since the log grew last."""
    notice: str = ""
    """What makes its figures mean nothing, where anything does: generated data, the tiny model."""
    has_answers: bool = False
    """Whether the run has answered since, so that training is over whatever its log says."""
    fault: str = ""
    """Why it cannot be read any more; all else is then as it was read last."""

    @property
    def iteration(self) -> int:
        """The last one that is logged."""
        return int(self.steps[-1]["iteration"]) if self.steps else 0

    @property
    def remaining_s(self) -> float | None:
        """By the rate of the last tenth of the steps, at least 20; None where it cannot be told."""
        recent = self.steps[-max(20, len(self.steps) // 10) :]
        seconds = [
            step["samples"] / step["samples_per_s"]
            for step in recent
            if step.get("samples") and step.get("samples_per_s")
        ]
        if self.iterations is None or not seconds or len(recent) < 2:
            return None
        passed = recent[-1]["iteration"] - recent[0]["iteration"] or 1
        each = sum(seconds[1:]) / passed if len(seconds) > 1 else seconds[0]
        return max(0, self.iterations - self.iteration) * each

    @property
    def goes_on(self) -> bool:
        """Whether more is to be expected."""
        return self.state() in ("running", "starting")

    def points(self, key: str) -> list[tuple[int, float]]:
        """(iteration, value) of a curve; steps without a value are left out."""
        return [(step["iteration"], float(step[key])) for step in self.steps if step.get(key) is not None]

    def latest(self, key: str) -> float | str | None:
        """Of the last step: the value, ``NOT_FINITE``, or None where it has none."""
        if not self.steps or key not in self.steps[-1]:
            return None
        value = self.steps[-1][key]
        return NOT_FINITE if value is None else float(value)

    def loss_in_words(self) -> str:
        """``loss 0.1234``, ``loss not finite``, or nothing before the first step."""
        loss = self.latest("loss")
        return "" if loss is None else f"loss {loss}" if isinstance(loss, str) else f"loss {loss:.4f}"

    def gaps(self, key: str) -> int:
        """Steps whose value is no finite number."""
        return sum(key in step and step[key] is None for step in self.steps)

    def validation(self) -> list[tuple[int, float]]:
        """(iteration, loss) after each epoch that was validated."""
        return [(line["iteration"], float(line[VALID])) for line in self.epochs if line.get(VALID) is not None]

    def state(self) -> str:
        """In words: ``done``, ``stopped before its end``, ``running``, ``quiet for 12 min``, ``cannot be read``."""
        if self.fault:
            return "cannot be read"
        if self.iterations is not None and self.iteration >= self.iterations:
            return "done"
        if self.has_answers:
            return "done" if self.iterations is None else "stopped before its end"
        if self.written_s_ago > QUIET_S:
            return f"quiet for {time_in_words(self.written_s_ago)}"
        return "running" if self.steps else "starting"


def read_trainings(folders: Sequence[Path], labels: Sequence[str] = ()) -> list[Training]:
    """Several runs' training; without labels, called by what tells their folders apart.

    Raises:
        ConfigError: another number of labels than runs, two runs of one name, and as ``read_training``.
        DataError: as ``read_training``.
    """
    if labels and len(labels) != len(folders):
        raise ConfigError(
            f"{len(folders)} run(s) and {len(labels)} label(s); give one --label for each run, in the same order"
        )
    names = list(labels or _names_of(folders))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ConfigError(
            f"several runs are called {', '.join(twice)}: name each run once, and each with a --label of its own"
        )
    return [read_training(folder, name) for folder, name in zip(folders, names)]


def _names_of(folders: Sequence[Path]) -> list[str]:
    """The last part of each path, and as many before it as no other path ends with."""
    parts = [Path(folder).resolve().parts for folder in folders]
    names = []
    for own in parts:
        length = 1
        while length < len(own) and sum(other[-length:] == own[-length:] for other in parts) > 1:
            length += 1
        names.append(str(Path(*own[-length:])))
    return names


def look_again(trainings: Sequence[Training]) -> list[Training]:
    """The same runs as they are now; of one that cannot be read any more stays what was read, with the ``fault``."""
    found = []
    for training in trainings:
        try:
            found.append(read_training(training.folder, training.name))
        except (PefomedError, OSError) as error:
            found.append(replace(training, fault=one_line(error)))
    return found


def read_training(folder: Path, name: str = "") -> Training:
    """The training of a run, which may be under way: a line that is half written is left for the next time.

    Raises:
        ConfigError: no such folder, or it holds no training.
        DataError: a line that is no step.
    """
    folder = Path(folder)
    log, begun = folder / LOG, folder / "config.yaml"
    if not folder.is_dir():
        raise ConfigError(f"no run {folder}: give the output_dir of a training")
    if not log.is_file() and not begun.is_file():
        found = ", ".join(sorted(path.parent.name for path in folder.glob(f"*/{LOG}")))
        hint = f"; there is one in {found}" if found else ""
        raise ConfigError(f"{folder} holds no training, there is no {LOG} in it{hint}")
    steps, lines = _read(log), _read(folder / EPOCHS)
    record = read_training_record(folder)
    written = (log if log.is_file() else begun).stat().st_mtime
    starts = [line for line in lines if "iterations" in line]
    return Training(
        name or folder.resolve().name,
        folder,
        steps,
        [line for line in lines if "epoch" in line],
        int(starts[-1]["iterations"]) if starts else None,
        max(0.0, time.time() - written),
        record.origins.notice if record else "",
        any(answers.stat().st_mtime > written - _COPIED_S for answers in folder.glob("results/*/predictions.jsonl")),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = []
    text = read_bytes(path).decode("utf-8", errors="replace")
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            break
        try:
            content = parse_json(line)
            if not isinstance(content, dict):
                raise TypeError(line)
            numbers = [value for key, value in content.items() if key in _NUMBERS or key.startswith(VALID)]
            if (
                type(content["iteration"]) is not int
                or content["iteration"] < 0
                or not all(value is None or isinstance(value, (int, float)) for value in numbers)
            ):
                raise TypeError(line)
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path}, line {number}: not a step of training; remove the line") from None
        found.append(content)
    return found
