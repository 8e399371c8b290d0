"""``log.jsonl``: one line a step. Losses stay on the device until they are written, so that a step does not wait."""

import json
import time
from pathlib import Path
from typing import Any, Dict, List

from ..services.console import is_first_rank, say
from ..storage import write_text


class StepLog:
    """Collects steps and writes them every ``every`` steps, on the first rank."""

    def __init__(self, path: Path, every: int, start: int = 0) -> None:
        """Log from iteration ``start`` on; lines behind it, of a run that was killed and is resumed, are dropped."""
        self.path, self.every = path, every
        self._steps: List[Dict[str, Any]] = []
        self._since = time.monotonic()
        self._note = ""
        if is_first_rank() and path.is_file():
            kept = [line for line in path.read_text(encoding="utf-8").splitlines(keepends=True)
                    if line.endswith("\n") and json.loads(line)["iteration"] <= start]
            write_text(path, "".join(kept))

    def add(self, iteration: int, loss: Any, lr: float, samples: int, grad_norm: Any = None) -> str:
        """Take a step up; returns what to show beside the progress."""
        self._steps.append({"iteration": iteration, "loss": loss, "lr": lr, "samples": samples,
                            "grad_norm": grad_norm})
        if len(self._steps) >= self.every:
            self.flush()
        return self._note

    def flush(self) -> None:
        """Write what has been collected."""
        if not self._steps:
            return
        for each in self._steps:
            each["loss"] = float(each["loss"])
            each["grad_norm"] = None if each["grad_norm"] is None else float(each["grad_norm"])
        rate = sum(each["samples"] for each in self._steps) / max(time.monotonic() - self._since, 1e-9)
        last = self._steps[-1]
        self._note = "loss {:.4f}, lr {:.2e}".format(last["loss"], last["lr"])
        if is_first_rank():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.writelines(json.dumps({**each, "samples_per_s": round(rate, 2)}) + "\n" for each in self._steps)
            say("iteration {}: {}, {:.1f} samples/s".format(last["iteration"], self._note, rate))
        self._steps, self._since = [], time.monotonic()
