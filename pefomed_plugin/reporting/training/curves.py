"""What a run's logs say of its training: curves, validation, how far it is. Reads text only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from ...errors import ConfigError, DataError
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
    unit: str = ""


CURVES = (
    Curve("loss", "training loss"),
    Curve("lr", "learning rate"),
    Curve("grad_norm", "gradient norm"),
    Curve("tokens_per_s", "answer tokens a second"),
)
VALID = "valid/loss"


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
    per_epoch: int | None
    written_s_ago: float
    """Since the log grew last."""
    notice: str = ""
    """What makes its figures mean nothing, where anything does: generated data, the tiny model."""
    has_answers: bool = False
    """Whether the run has answered since, so that training is over whatever its log says."""

    @property
    def iteration(self) -> int:
        """The last one that is logged."""
        return int(self.steps[-1]["iteration"]) if self.steps else 0

    @property
    def is_done(self) -> bool:
        """Whether the last iteration is behind."""
        return self.has_answers or (self.iterations is not None and self.iteration >= self.iterations)

    @property
    def remaining_s(self) -> float | None:
        """By the rate of the last tenth of the steps, at least 20; None where it cannot be told."""
        recent = self.steps[-max(20, len(self.steps) // 10) :]
        seconds = [step["samples"] / step["samples_per_s"] for step in recent if step.get("samples_per_s")]
        if self.iterations is None or not seconds or len(recent) < 2:
            return None
        passed = recent[-1]["iteration"] - recent[0]["iteration"] or 1
        each = sum(seconds[1:]) / passed if len(seconds) > 1 else seconds[0]
        return max(0, self.iterations - self.iteration) * each

    def points(self, key: str) -> list[tuple[int, float]]:
        """(iteration, value) of a curve; steps without a value are left out."""
        return [(step["iteration"], float(step[key])) for step in self.steps if step.get(key) is not None]

    def gaps(self, key: str) -> int:
        """Steps whose value is no finite number."""
        return sum(key in step and step[key] is None for step in self.steps)

    def validation(self) -> list[tuple[int, float]]:
        """(iteration, loss) after each epoch that was validated."""
        return [(line["iteration"], float(line[VALID])) for line in self.epochs if line.get(VALID) is not None]

    def state(self) -> str:
        """In words: ``done``, ``running``, ``quiet for 12 min``."""
        if self.is_done:
            return "done"
        if self.written_s_ago > QUIET_S:
            return f"quiet for {time_in_words(self.written_s_ago)}"
        return "running" if self.steps else "starting"


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
    starts = [line for line in lines if "iterations" in line]
    return Training(
        name or folder.resolve().name,
        folder,
        steps,
        [line for line in lines if "epoch" in line],
        int(starts[-1]["iterations"]) if starts else None,
        int(starts[-1]["per_epoch"]) if starts else None,
        max(0.0, time.time() - (log if log.is_file() else begun).stat().st_mtime),
        record.origins.notice if record else "",
        any(folder.glob("results/*/predictions.jsonl")),
    )


def _read(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = []
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True), 1):
        if not line.endswith("\n"):
            break
        try:
            content = parse_json(line)
            if not isinstance(content["iteration"], int):
                raise TypeError("iteration")
        except (ValueError, KeyError, TypeError):
            raise DataError(f"{path}, line {number}: not a step of training; remove the line") from None
        found.append(content)
    return found
