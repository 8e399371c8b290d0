"""``pefomed plot``: scorers side by side, and the numbers that its bars stand for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.reporting.breakdowns import break_down_answers, names_together
from pefomed_plugin.reporting.plots import plot_side_by_side
from pefomed_plugin.reporting.results import read_run
from tests.unit.reporting.made import answers, make_run, rate

RIGHT = [True, False, True, False]
NAMES = ["exact_match/pefomed", "judge/vqa/gpt-4o", "human/vqa"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that was scored, judged twice and rated by three people."""
    rows = answers(RIGHT)
    run = make_run(tmp_path / "run", rows, ["exact_match", "token_recall"])
    results = run / "results/vqa_rad-test"
    rate(results, rows, NAMES[1], [[1, 1, 1, 0], [1, 0, 1, 0]])
    rate(results, rows, NAMES[2], [[1, 1, 1, 1], [1, 0, 1, None], [0, 0, 0, 0]])
    return run


def test_bars_are_means_over_runs_with_their_sd(folder: Path) -> None:
    (answered,) = read_run(folder).answered.values()
    assert names_together(answered) == NAMES
    exact, judge, people = (
        {cell.group: cell for cell in break_down_answers(answered, name, "organ").cells} for name in NAMES
    )
    assert exact["CHEST"].sd is None and exact["CHEST"].value == pytest.approx(100 / 3)
    assert judge["CHEST"].value == pytest.approx(50.0) and judge["CHEST"].sd == pytest.approx(23.570226)
    assert (people["CHEST"].n, people["CHEST"].runs, people["HEAD"].value) == (3, 3, pytest.approx(200 / 3))


def test_groups_of_the_metrics_and_of_the_plot_are_the_same_figures(folder: Path) -> None:
    results = folder / "results/vqa_rad-test"
    answers_file = str(results / "predictions.jsonl")
    assert main(["judge", "vqa", answers_file, "--judge", "offline", "--by", "question_type"]) == 0
    stored = json.loads((results / "metrics.json").read_text())["scores"]["judge/vqa/offline-lexical"]
    (answered,) = read_run(folder).answered.values()
    for cell in break_down_answers(answered, "judge/vqa/offline-lexical", "question_type").cells:
        assert stored[f"question_type {cell.group}"]["value"] == cell.value
        assert stored[f"question_type {cell.group}"]["sd"] == cell.sd


def test_it_is_drawn_in_each_format_and_the_same_each_time(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = [tmp_path / "new" / name for name in ("a.svg", "a.png", "a.pdf", "b.svg", "b.png")]
    options = [part for path in files[:3] for part in ("--out", str(path))]
    assert (
        main(["plot", str(folder), "--by", "question_type", "--scorers", "exact_match", "judge", "human", *options])
        == 0
    )
    assert main(["plot", str(folder), "--by", "question_type", "--out", str(files[3]), "--out", str(files[4])]) == 0
    assert [path.read_bytes()[:4] for path in files[:3]] == [b"<?xm", b"\x89PNG", b"%PDF"]
    assert files[0].read_bytes() == files[3].read_bytes() and files[1].read_bytes() == files[4].read_bytes()
    drawn = files[0].read_text(encoding="utf-8")
    for words in ("judge/vqa/gpt-4o (± SD of 2)", "human/vqa (± SD of 3)", "exact_match/pefomed", "(abnormality)"):
        assert words in drawn


def test_generated_data_are_named_in_the_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    made = {"origin": {"data": {"vqa_rad": "generated"}, "model": "tiny"}}
    folder = make_run(tmp_path / "run", answers(RIGHT, producer=made))
    assert main(["plot", str(folder), "--by", "organ", "--out", str(tmp_path / "a.svg")]) == 0
    assert "Not a result: tiny model, generated data (vqa_rad)" in (tmp_path / "a.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--by", "organ", "--scorers", "judge/vqa/other"], "judge/vqa/other is not there, only exact_match/pefomed"),
        (["--by", "organ", "--scorers", "human", "human/vqa"], "human/vqa is named twice"),
        (["--by", "modality"], "none of these answers has a value for modality"),
        (["--by", "orgn"], "'orgn'"),
        (["--by", "organ", "--set", "slake-test"], "--set slake-test"),
        (["--by", "organ", "--out", "plot.bmp"], "end its name with .png"),
    ],
)
def test_mistakes_are_named(folder: Path, capsys: pytest.CaptureFixture, options: list[str], message: str) -> None:
    pytest.importorskip("matplotlib")
    assert main(["plot", str(folder), "--out", str(folder / "new.svg"), *options]) == 2
    assert message in capsys.readouterr().err and not (folder / "new.svg").exists()


def test_scores_of_different_units_do_not_stand_side_by_side(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    (answered,) = read_run(folder).answered.values()
    panel = [break_down_answers(answered, name, "organ") for name in NAMES[:2]]
    plain = type(panel[0].metric)("levels", "levels", 0.0, 4.0)
    panel[1] = type(panel[1])("judge/report/x", "organ", plain, panel[1].cells)
    with pytest.raises(Exception, match="different units"):
        plot_side_by_side([("made", panel)], [tmp_path / "a.svg"])
