"""Someone with another model's answers: import, score, floors, page, and beside another run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pefomed_plugin.readers import DATASETS

from .terminal import Newcomer

COMMANDS = 6
pytestmark = pytest.mark.slow


def write_lmms_eval(downloads: Path, path: Path) -> int:
    """lmms-eval's samples: two of three answers right; how many there are."""
    rows = DATASETS["vqa_rad"].read(downloads / "vqa_rad").splits()["test"]
    with path.open("w", encoding="utf-8") as file:
        for number, row in enumerate(rows):
            answer = row.answer if number % 3 else "a shadow"
            doc = {"question": row.question, "answer": row.answer}
            content = {"doc_id": number, "doc": doc, "target": row.answer, "resps": [[answer]]}
            file.write(json.dumps({**content, "filtered_resps": [answer]}) + "\n")
    return len(rows)


def test_answers_of_another_model(newcomer: Callable[..., Newcomer], downloads: Path) -> None:
    someone = newcomer()
    count = write_lmms_eval(downloads, someone.folder / "samples_vqa_rad.jsonl")
    imported = someone.types(
        f"pefomed import-predictions samples_vqa_rad.jsonl --dataset vqa_rad --data {downloads}/vqa_rad "
        "--out output/theirs"
    )
    assert f"{count} answers of lmms-eval" in imported.text and f"{count} joined" in imported.text
    scored = someone.follows(imported)
    floors = someone.follows(scored)
    assert floors.typed == "pefomed floors output/theirs"
    paged = someone.follows(floors)
    assert someone.commands == 4
    page = (someone.folder / "output/theirs/report.html").read_text(encoding="utf-8")
    assert "a shadow" in page and "floor" in page and "generated data" not in page
    assert paged.next.endswith((someone.folder / "output/theirs/report.html").as_uri())

    right = sum(number % 3 > 0 for number in range(count))
    metrics = json.loads((someone.folder / "output/theirs/metrics.json").read_text(encoding="utf-8"))
    overall = metrics["scores"]["exact_match/pefomed"]["overall"]
    assert overall["n"] == count and overall["value"] == pytest.approx(100 * right / count)

    someone.types(f"pefomed baseline vqa_rad --data {downloads}/vqa_rad --out output/baselines")
    other = next(iter(sorted((someone.folder / "output/baselines").glob("*/predictions.jsonl")))).parent
    compared = someone.types(f"pefomed compare output/theirs {other.relative_to(someone.folder)}")
    assert "theirs" in compared.text and "against" in compared.text
    assert someone.commands == COMMANDS
