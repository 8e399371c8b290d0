"""A small study on disk: VQA-RAD with both stages, and a plan that names it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pefomed_plugin.records import Prediction
from pefomed_plugin.reporting.paper.material import Material, read_material
from pefomed_plugin.reporting.paper.plan import read_plan
from pefomed_plugin.storage import write_records
from tests.unit.reporting.made import answers, make_run, rate

RIGHT = [True, False, True, False, True, True, False, True]
CONFIG: dict[str, Any] = {
    "model": {"arch": "minigpt_v2", "image_size": 448, "max_txt_len": 1024, "lora_r": 64, "ckpt": "minigptv2_made.pth"},
    "datasets": {"vqa_rad": {"batch_size": 6}},
    "run": {"task": "medical_vqa", "init_lr": 3e-5, "min_lr": 1e-5, "max_epoch": 50, "seed": 42},
}

PAPERS = re.compile(r"\(\d|\(paper|[Pp]aper's (?!figures, which)|MUMC|56\.63M \(")
"""Figures of the paper in a table's text."""
LEFT_OUT = re.compile(r"^Not a result: .*The paper's figures, which are of real data, are left out\.$", re.MULTILINE)


def rows(right: Sequence[bool] = RIGHT, **fields: Any) -> list[Prediction]:
    """Answers whose phrase types alternate."""
    made = answers(right, **fields)
    parts = [{**row.to_json(), "phrase_type": ("freeform", "para")[at % 2]} for at, row in enumerate(made)]
    return [Prediction.from_json(part) for part in parts]


def study(folder: Path, scorers: Sequence[str] = ("exact_match",), **fields: Any) -> Path:
    """The run with both stages; its results folder."""
    return make_run(folder / "both", rows(**fields), scorers, CONFIG) / "results/vqa_rad-test"


def judged(results: Path) -> None:
    """Two runs of GPT-4 and three people."""
    made = rows()
    rate(results, made, "judge/vqa/gpt-4o", [[1, 1, 1, 0, 1, 1, 0, 1], [1, 0, 1, 0, 1, 1, 0, 1]])
    rate(results, made, "human/vqa", [[1, 1, 1, 1, 1, 1, 1, 1], [1, 0, 1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1, 1, 1]])


def plan(folder: Path, **changes: Any) -> Path:
    """A plan of the study; JSON is YAML."""
    content = {"runs": {"vqa_rad": {"both": str(folder / "both")}}, **changes}
    (folder / "paper.yaml").write_text(json.dumps(content), encoding="utf-8")
    return folder / "paper.yaml"


def material(folder: Path, **changes: Any) -> Material:
    """The study, read."""
    return read_material(read_plan(plan(folder, **changes)))


def change_first(results: Path, text: str) -> None:
    """Another answer to the first question, in the file that was scored."""
    first, *others = rows()
    write_records(
        results / "predictions.jsonl", [Prediction.from_json({**first.to_json(), "prediction": text}), *others]
    )
