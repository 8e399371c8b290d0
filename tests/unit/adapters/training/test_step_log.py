"""A line of ``log.jsonl`` has the keys that docs/training.md names, in their order."""

from __future__ import annotations

import json
import re
from pathlib import Path

from pefomed_plugin.adapters.training.step_log import Step, StepLog

PAGE = Path(__file__).resolve().parents[4] / "docs" / "training.md"


def test_the_page_names_every_key_of_a_line(tmp_path: Path) -> None:
    log = StepLog(tmp_path / "log.jsonl", every=1)
    log.add(Step(iteration=1, loss=0.5, lr=1e-4, samples=6, tokens=20, grad_norm=1.0, encoded_images=6))
    log.flush()
    table = PAGE.read_text(encoding="utf-8").split("`log.jsonl` has a line for each step:")[1].split("\n\n")[1]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    said = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert said == list(json.loads((tmp_path / "log.jsonl").read_text(encoding="utf-8")))
