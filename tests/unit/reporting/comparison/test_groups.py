"""``pefomed compare --by``: evaluations by groups, with the figures of the paper's tables 3 and 4."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from tests.unit.reporting.made import answers, make_run, rate

RIGHT = [True, False, True, False]


def test_each_run_has_a_table_with_the_papers_figures(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    rows = answers(RIGHT)
    folder = make_run(tmp_path / "run", rows)
    rate(folder / "results/vqa_rad-test", rows, "judge/vqa/gpt-4o", [[1, 1, 1, 0], [1, 0, 1, 0]])
    out = tmp_path / "compare.md"
    assert main(["compare", str(folder), "--label", "both", "--by", "organ", "--out", str(out)]) == 0
    shown = out.read_text(encoding="utf-8")
    assert "both, vqa_rad-test by organ, as in the paper's Table 4" in shown
    assert "| exact_match/pefomed | 33.3 (81.0) | 100.0 (79.0) |" in shown
    assert "| judge/vqa/gpt-4o | 50.0 \u00b1 23.6 (87.4 \u00b1 0.0) | 100.0 \u00b1 0.0 (86.8 \u00b1 1.3) |" in shown
    assert "as in the paper's Table 4" in capsys.readouterr().out


@pytest.mark.parametrize(("data", "paper"), [("generated", None), ("real", 81.0)])
def test_no_paper_figure_stands_beside_generated_data_and_json_has_the_tables(
    tmp_path: Path, data: str, paper: float | None
) -> None:
    made = {"origin": {"data": {"vqa_rad": data}, "model": "tiny"}}
    folder, out = make_run(tmp_path / "run", answers(RIGHT, producer=made)), tmp_path / "compare.json"
    assert main(["compare", str(folder), "--label", "both", "--by", "organ", "--out", str(out)]) == 0
    content = json.loads(out.read_text())
    (table,), (compared,) = content["groups"], content["tables"]
    assert table["rows"][0][1].get("paper") == paper
    assert ("do not compare" in table["notes"][0]) is (paper is not None)
    assert (compared["rows"][0]["figures"]["overall"]["paper"] is None) is (paper is None)
