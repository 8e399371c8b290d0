"""A student with VQA-RAD and no weights: a page after two commands, the checkpoint evaluated after four."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from .terminal import Newcomer

COMMANDS = 4
RUN = "output/embedded/stage2_vqa_rad"
SHORT = "--options run.iters_per_epoch=3 datasets.vqa_rad.batch_size=8 datasets.vqa_rad.limit.test=24"
"""What the test adds to the documented line, so that it takes seconds."""
REAL = Path(__file__).resolve().parents[4] / "shared" / "data"
WORDS = "tiny model, real data (vqa_rad)"
pytestmark = pytest.mark.slow


@pytest.fixture(params=["drawn", "real"])
def data(request: pytest.FixtureRequest, downloads: Path) -> Path:
    if request.param == "drawn":
        return downloads
    if not (REAL / "vqa_rad" / "images").is_dir():
        pytest.skip("no ../shared/data/vqa_rad")
    return REAL


def test_data_and_no_weights(newcomer: Callable[..., Newcomer], data: Path) -> None:
    student = newcomer(PEFOMED_DATA=str(data))
    trained = student.types(f"pefomed train --cfg-path projects/pefomed/stage2_vqa_rad.yaml {SHORT}")
    assert "".join(trained.text.split()).count("".join(f"{WORDS}. The figures say nothing".split())) >= 1
    paged = student.follows(trained)
    page = student.folder / RUN / "report.html"
    assert WORDS in page.read_text(encoding="utf-8") and "synpic" in page.read_text(encoding="utf-8")
    assert student.commands == 2 and paged.next.endswith(page.as_uri())

    evaluated = student.types(
        "pefomed evaluate --cfg-path eval_configs/pefomed_vqa_rad.yaml --options "
        f"model.ckpt={RUN}/checkpoint_last.pth datasets.vqa_rad.limit.test=24"
    )
    student.follows(evaluated)
    folder = student.folder / "output/embedded/eval_vqa_rad"
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["origin"] == {"data": {"vqa_rad": "real"}, "model": "tiny"}
    first = json.loads((student.folder / RUN / "metrics.json").read_text(encoding="utf-8"))
    figures = [each["results"]["vqa_rad-test"]["scores"] for each in (first, metrics)]
    assert figures[0] == figures[1], "the checkpoint answers as the run that wrote it did"
    for place in (page, folder / "report.html", student.folder / RUN / "README.md"):
        assert WORDS in place.read_text(encoding="utf-8"), place
    assert student.commands == COMMANDS
