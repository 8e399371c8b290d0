"""``log.jsonl``, one line a step, and the same to the trackers; steps that were left out, in a file of their own;
``epochs.jsonl``: how long the run is, and what validation found.

Losses and flags stay on the device until they are written, so that a step does not wait.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable

from ...errors import DataError, PefomedError, naming
from ...json_text import parse_json
from ...services.console import is_first_rank, say
from ...storage import write_text
from .tracking import Tracker


@dataclass(frozen=True)
class Step:
    """One optimizer step, as it stands in the log."""

    iteration: int
    loss: Any
    """This rank's part."""
    lr: float
    samples: int
    """Of all ranks, likewise ``tokens``."""
    tokens: int
    """Of the answers."""
    grad_norm: Any
    encoded_images: int | None = None
    """This rank's images that have gone through the vision encoder so far; with ``run.image_cache: features`` each
    distinct one once."""


class StepLog:
    """Collects steps and writes them every ``every`` steps, on the first rank."""

    def __init__(
        self,
        path: Path,
        every: int,
        start: int = 0,
        trackers: Sequence[Tracker] = (),
        memory_gib: Callable[[], float | None] = lambda: None,
        sum_over_ranks: Callable[[Sequence[float]], Sequence[float]] = list,
    ) -> None:
        """Log from iteration ``start`` on; lines behind it, of a run that was killed and is resumed, are dropped.

        Args:
            memory_gib: tells the most memory taken so far.
            sum_over_ranks: adds up over the ranks, of which each has its part of a loss.
        """
        self.path, self.every, self.trackers, self.memory_gib = path, every, trackers, memory_gib
        self.sum_over_ranks = sum_over_ranks
        self._steps: list[Step] = []
        self._since = time.monotonic()
        self.note = ""
        """What to show beside the progress."""
        if is_first_rank() and path.is_file():
            write_text(path, "".join(_until(path, start)))

    def add(self, step: Step) -> bool:
        """Record a step; returns whether a write is due."""
        self._steps.append(step)
        return len(self._steps) >= self.every

    def flush(self) -> None:
        """Write what has been collected; all ranks must call this. Rates are means over it."""
        if not self._steps:
            return
        losses = self.sum_over_ranks([float(step.loss) for step in self._steps])
        # JSON has no NaN: the loss of a step that was left out is null
        steps = [
            replace(step, loss=_finite(loss), grad_norm=_finite(step.grad_norm))
            for step, loss in zip(self._steps, losses)
        ]
        elapsed_s = max(time.monotonic() - self._since, 1e-9)
        rates = {
            "samples_per_s": round(sum(step.samples for step in steps) / elapsed_s, 2),
            "tokens_per_s": round(sum(step.tokens for step in steps) / elapsed_s, 2),
        }
        last = steps[-1]
        shown = "not finite" if last.loss is None else f"{last.loss:.4f}"
        self.note = f"loss {shown}, lr {last.lr:.2e}"
        if is_first_rank():
            self._write([{**vars(step), **rates, "memory_gib": self.memory_gib()} for step in steps])
            say(
                f"iteration {last.iteration}: {self.note}, {rates['samples_per_s']:.1f} samples/s, "
                f"{rates['tokens_per_s']:.0f} tokens/s"
            )
        self._steps, self._since = [], time.monotonic()

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.writelines(json.dumps(line, allow_nan=False) + "\n" for line in lines)
        for tracker in self.trackers:
            for line in lines:
                tracker.log(
                    line["iteration"],
                    {"train/" + key: value for key, value in line.items() if key != "iteration" and value is not None},
                )


class EpochLog:
    """What a step does not know, on the first rank: a line at each start of the run, and one after each epoch."""

    def __init__(self, path: Path, start: int = 0) -> None:
        """Lines behind iteration ``start``, of a run that was killed and is resumed, are dropped."""
        self.path = path
        if is_first_rank() and path.is_file():
            write_text(path, "".join(_until(path, start)))

    def begin(self, start: int, iterations: int, per_epoch: int) -> None:
        """The run goes from iteration ``start`` to ``iterations``."""
        self._write({"iteration": start, "iterations": iterations, "per_epoch": per_epoch, "time": round(time.time())})

    def add(self, iteration: int, epoch: int, found: Mapping[str, float]) -> None:
        """Epoch number ``epoch``, from 1, has ended there; ``found``: ``Validation.to_json``, or empty."""
        self._write({"iteration": iteration, "epoch": epoch, "time": round(time.time()), **found})

    def _write(self, line: Mapping[str, Any]) -> None:
        if is_first_rank():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
                file.write(json.dumps({key: _jsonable(value) for key, value in line.items()}, allow_nan=False) + "\n")


SCALED_IN_A_ROW = 25
"""So many steps left out by fp16's loss scaling one after the other stop a run. Each halves the scale, which starts at
2^16: one that fits is found after fewer, unless the gradient itself is no finite number."""


class NonfiniteSteps:
    """Steps of one run that were left out, written on every rank; the gradient is the same on all of them."""

    def __init__(
        self, path: Path, limit: int, counts: Mapping[str, int] | None = None, *, scaled: bool = False
    ) -> None:
        """Write to ``path``; more than ``limit`` such steps stop the run, ``counts`` have been before.

        Args:
            scaled: fp16's loss scaling leaves steps out, which is normal: they are counted by themselves and shown, and
                only ``SCALED_IN_A_ROW`` of them stop the run.
        """
        self.path, self.limit, self.scaled = path, limit, scaled
        before = counts or {}
        self.count = before.get("nonfinite", 0)
        self.count_scaled = before.get("left_out_by_scaling", 0)
        self._in_a_row = 0
        self._pending: list[tuple[int, list[str], Any]] = []

    def counts(self) -> dict[str, int]:
        """What a checkpoint keeps."""
        return {"nonfinite": self.count, "left_out_by_scaling": self.count_scaled}

    def add(self, iteration: int, batches: Sequence[Mapping[str, Any]], left_out: Any) -> None:
        """Record a step. ``left_out`` is a bool, read now, or a flag on a GPU, read by ``check``.

        Raises:
            PefomedError: too many steps were left out.
        """
        if left_out is not False:
            samples = [sample_id for batch in batches for sample_id in batch["image_id"]]
            self._pending.append((iteration, samples, left_out))
        if left_out is True:
            self.check()

    def check(self) -> None:
        """Write down what was left out since the last time, and show it. Raises as ``add``."""
        pending, self._pending = self._pending, []
        before = self.count_scaled
        for iteration, samples, left_out in pending:
            if bool(left_out):
                self._note(iteration, samples)
            else:
                self._in_a_row = 0
        if self.count_scaled > before:
            say(
                f"fp16: the loss scaling left out {self.count_scaled - before} of the last {len(pending)} steps, "
                f"{self.count_scaled} in all ({self.path.name} says which)"
            )

    def _note(self, iteration: int, samples: list[str]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with naming(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": iteration, "samples": samples}) + "\n")
        if self.scaled:
            self.count_scaled += 1
            self._in_a_row += 1
            if self._in_a_row >= SCALED_IN_A_ROW:
                raise PefomedError(
                    f"the gradient is no finite number in {self._in_a_row} steps one after the other, up to iteration "
                    f"{iteration}, whatever fp16's loss is scaled by; nothing was learned in them. The samples are "
                    f"in {self.path}, the last checkpoint is whole. Try run.precision=bf16 where the GPU has it, or "
                    "fp32; else a lower run.init_lr, or run.max_grad_norm=1"
                )
            return
        self.count += 1
        if self.count > self.limit:
            raise PefomedError(
                f"the gradient is no finite number at iteration {iteration}; steps left out so far: {self.count}, "
                f"run.max_nonfinite: {self.limit}. The samples are in {self.path}, the last checkpoint is whole. Try "
                "bf16 or fp32, a lower run.init_lr, or run.max_grad_norm=1"
            )


def _until(path: Path, iteration: int) -> Iterator[str]:
    """The whole lines of a log up to an iteration. Raises DataError for one that says none."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True), 1):
        if line.endswith("\n"):
            try:
                found = parse_json(line)["iteration"]
                if found <= iteration:
                    yield line
            except (ValueError, KeyError, TypeError):
                raise DataError(f"{path}, line {number}: not a step of training; remove the line") from None


def _jsonable(value: float) -> float | None:
    return value if isinstance(value, int) else _finite(value)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if abs(number) < float("inf") else None
