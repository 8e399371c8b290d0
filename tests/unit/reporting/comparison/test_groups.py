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


def test_generated_data_do_not_compare_and_json_has_the_tables(tmp_path: Path) -> None:
    made = {"origin": {"data": {"vqa_rad": "generated"}, "model": "tiny"}}
    folder, out = make_run(tmp_path / "run", answers(RIGHT, producer=made)), tmp_path / "compare.json"
    assert main(["compare", str(folder), "--label", "both", "--by", "organ", "--out", str(out)]) == 0
    (table,) = json.loads(out.read_text())["groups"]
    assert "do not compare" in table["notes"][0] and table["rows"][0][1]["paper"] == 81.0


def test_an_axis_without_values_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = make_run(tmp_path / "run", answers(RIGHT))
    assert main(["compare", str(folder), "--by", "modality"]) == 2
    assert "a value for modality" in capsys.readouterr().err
    assert main(["compare", str(folder), "--by", "orgn"]) == 2
