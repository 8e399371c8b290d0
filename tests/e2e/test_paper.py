"""``pefomed paper`` from a plan to its folder: tables in three forms, figures in two, and a document of all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from tests.unit.reporting.paper.made import change_first, judged, plan, study

pytestmark = pytest.mark.slow
pytest.importorskip("matplotlib")
TABLES = [f"table_{number:02d}" for number in range(1, 13)]


def test_it_writes_everything_and_again_when_an_answer_has_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    results, out = study(tmp_path), tmp_path / "paper"
    judged(results)
    path = str(plan(tmp_path))
    assert main(["paper", path, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "12 tables and 8 figures written" in shown and "missing," in shown
    for name in TABLES:
        assert (out / f"tables/{name}.md").is_file() and (out / f"tables/{name}.tex").is_file()
        assert sorted(out.glob(f"tables/{name}*.csv"))
    for number in range(1, 9):
        assert (out / f"figures/figure_{number}.png").read_bytes()[:4] == b"\x89PNG"
        assert (out / f"figures/figure_{number}.svg").read_bytes().startswith(b"<?xml")
    third = (out / "figures/figure_3.svg").read_text(encoding="utf-8")
    for words in ("exact_match/pefomed", "human/vqa (\u00b1 SD of 3)", "judge/vqa/gpt-4o (\u00b1 SD of 2)"):
        assert words in third
    assert "not drawn: no run" in (out / "figures/figure_5.svg").read_text(encoding="utf-8")
    document = (out / "paper.tex").read_text(encoding="utf-8")
    inputs = re.findall(r"\\(?:input|includegraphics\[[^]]*\])\{([^}]*)\}", document)
    assert len(inputs) == 1 + 12 + 8
    assert all((out / name).is_file() or (out / f"{name}.tex").is_file() for name in inputs)
    listed = (out / "missing.md").read_text(encoding="utf-8")
    assert "slake: no run" in listed and listed.splitlines()[2] in (out / "README.md").read_text(encoding="utf-8")
    before = {place: place.read_bytes() for place in out.rglob("*") if place.is_file()}

    assert main(["paper", path, "--out", str(out)]) == 0
    assert {place: place.read_bytes() for place in out.rglob("*") if place.is_file()} == before
    change_first(results, "something else")
    assert main(["paper", path, "--out", str(out)]) == 0
    for name in ("methods.md", "methods.tex", "tables/table_09.md", "tables/table_09_a.csv", "figures/figure_3.svg"):
        assert (out / name).read_bytes() != before[out / name], name
    assert "62.5" in before[out / "methods.md"].decode() and "62.5" not in (out / "methods.md").read_text()


def test_the_shipped_plan_is_found_from_anywhere_and_names_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["paper", "--out", "paper"]) == 0
    assert "output/ablation_vqa_rad/none is not there yet" in capsys.readouterr().out
    assert "not run (13.4)" in Path("paper/tables/table_09.md").read_text()


def test_after_an_error_the_folder_is_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(tmp_path)
    path, out = str(plan(tmp_path)), tmp_path / "paper"
    assert main(["paper", path, "--out", str(out)]) == 0
    before = {place: place.read_bytes() for place in out.rglob("*") if place.is_file()}
    change_first(tmp_path / "both/results/vqa_rad-test", "something else")
    (out / "paper.tex").unlink()
    (out / "paper.tex").mkdir()
    assert main(["paper", path, "--out", str(out)]) == 2
    left = {place: place.read_bytes() for place in out.rglob("*") if place.is_file()}
    assert left == {place: content for place, content in before.items() if place.name != "paper.tex"}
