"""Steps that were left out because their gradient was no finite number: counted, written down, and at last an error.

On a GPU a flag stays there until the log is written anyway, so that no step waits for it. Knows no model.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...errors import PefomedError


class NonfiniteSteps:
    """Of one run, on one rank; the gradient is the same on all of them."""

    def __init__(self, path: Path, limit: int, count: int = 0) -> None:
        """Write to ``path``; more than ``limit`` such steps stop the run, ``count`` have been before."""
        self.path, self.limit, self.count = path, limit, count
        self._pending: list[tuple[int, Sequence[Mapping[str, Any]], Any]] = []

    def add(self, iteration: int, batches: Sequence[Mapping[str, Any]], left_out: Any) -> None:
        """Take a step up. ``left_out`` is a truth value, looked at now, or a flag on a GPU, looked at by ``check``.

        Raises:
            PefomedError: too many steps were left out.
        """
        samples = [{"image_id": batch["image_id"]} for batch in batches]
        if left_out is not False:
            self._pending.append((iteration, samples, left_out))
        if left_out is True:
            self.check()

    def check(self) -> None:
        """Write down what was left out since the last time. Raises as ``add``."""
        pending, self._pending = self._pending, []
        for iteration, batches, left_out in pending:
            if bool(left_out):
                self._note(iteration, [each for batch in batches for each in batch["image_id"]])

    def _note(self, iteration: int, samples: list[str]) -> None:
        self.count += 1
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"iteration": iteration, "samples": samples}) + "\n")
        if self.count > self.limit:
            raise PefomedError(
                f"the gradient is no finite number at iteration {iteration} (the {self.count}. time; "
                "run.max_nonfinite is "
                f"{self.limit}); the samples are in {self.path}, the last checkpoint is whole. Try bf16 or fp32, a "
                "lower "
                "run.init_lr, or run.max_grad_norm=1"
            )
