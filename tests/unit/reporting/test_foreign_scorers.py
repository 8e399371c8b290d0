"""Scorers of another package: range, unit, columns and direction reach every table, plot and page, from one place."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.reporting.page.explorer_data import page_data
from pefomed_plugin.reporting.results import read_run
from pefomed_plugin.scoring import SCORERS
from pefomed_plugin.scoring.spec import Measured, MetricSpec, ScorerSpec

from .made import answers, make_run

RIGHT = [True, True, False, False] * 4


def score_grade(predictions: Sequence[Prediction], best: float = 4.5) -> list[Score]:
    return [
        Score(prediction.id, "grade/ward", "3", best if prediction.prediction == prediction.answer else 2.0)
        for prediction in predictions
    ]


def score_edits(predictions: Sequence[Prediction]) -> list[Score]:
    return [
        Score(prediction.id, f"edits/{metric}", "1", value)
        for metric, value in (("words", 3.0), ("letters", 20.0))
        for prediction in predictions
    ]


GRADE = ScorerSpec("grade/ward", "grade of the ward", 0, 5, "points", function=score_grade, version="3")


def measure_share(predictions: Sequence[Prediction]) -> Measured:
    return Measured({}, {"version": "1", "coverage": {"n": len(predictions), "value": 41.5}})


SHARE = ScorerSpec(
    "share",
    "share of the atlas",
    measure=measure_share,
    columns=("coverage",),
    metrics=(MetricSpec("coverage", "regions covered", 0, 300, "regions", pooled=True),),
)
EDITS = ScorerSpec(
    "edits",
    "edits to the reference",
    function=score_edits,
    columns=("letters", "words"),
    metrics=(
        MetricSpec("words", "words to edit", 0, 100, "words", higher_is_better=False),
        MetricSpec("letters", "letters to edit", 0, 1000, higher_is_better=False),
    ),
)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in (GRADE, EDITS, SHARE):
        monkeypatch.setitem(SCORERS.own, spec.name, spec)


def scored(folder: Path, right: Sequence[bool] = RIGHT) -> Path:
    return make_run(folder, answers(right), ["exact_match", "grade/ward", "edits"])


def test_scores_table_breakdown_and_metrics(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = make_run(tmp_path / "run", answers(RIGHT), scorers=()) / "results/vqa_rad-test/predictions.jsonl"
    assert main(["score", "grade/ward", str(path), "--by", "organ"]) == 0
    shown = capsys.readouterr().out
    assert "grade/ward by organ" in shown and re.search(r"grade/ward overall +16 +3\.250?0? points", shown)
    metrics = json.loads((path.parent / "metrics.json").read_text())
    overall = metrics["scores"]["grade/ward"]["overall"]
    assert (overall["n"], overall["value"], overall["unit"]) == (16, 3.25, "points")
    recorded = metrics["scorers"]["grade/ward"]
    assert (recorded["range"], recorded["unit"], recorded["higher_is_better"]) == ([0, 5], "points", True)


def test_a_figure_of_the_whole_set_without_scores(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path = make_run(tmp_path / "run", answers(RIGHT), scorers=()) / "results/vqa_rad-test/predictions.jsonl"
    assert main(["score", "share", str(path), "--by", "organ"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"share coverage +16 +41\.500 regions", shown) and "there is nothing to break down" in shown
    (of_set,) = page_data([read_run(tmp_path / "run")])["sets"]
    (figure,) = of_set["figures"]
    assert (figure["value"], figure["max"], figure["unit"]) == (41.5, 300, "regions")


def test_compare_has_the_units_and_the_direction(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    runs = [str(scored(tmp_path / "a")), str(scored(tmp_path / "b", RIGHT[::-1]))]
    assert main(["compare", *runs, "--out", str(tmp_path / "compare.json")]) == 0
    shown = capsys.readouterr().out
    assert "overall, points" in shown and "words, words (lower is better)" in shown
    tables = {table["scorer"]: table for table in json.loads((tmp_path / "compare.json").read_text())["tables"]}
    assert (tables["grade/ward"]["unit"], tables["grade/ward"]["range"]) == ("points", [0, 5])
    assert tables["edits"]["columns"] == ["letters", "words"] and not tables["edits"]["higher_is_better"]
    assert tables["edits"]["rows"][0]["figures"]["letters"]["value"] == 20.0


def test_the_plots_axis_is_the_range(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = scored(tmp_path / "run") / "results/vqa_rad-test/predictions.jsonl"
    for name, label in (
        ("grade/ward", "grade/ward, points (0 to 5)"),
        ("edits", "edits/words, words (0 to 100), lower"),
    ):
        assert main(["score", name, str(path), "--plot", str(tmp_path / "plot.svg")]) == 0
        assert label in (tmp_path / "plot.svg").read_text(encoding="utf-8")


def test_the_page_has_range_unit_and_direction(tmp_path: Path) -> None:
    data = page_data([read_run(scored(tmp_path / "run"))])
    scorers = {scorer["name"]: scorer for scorer in data["scorers"]}
    keys = ("min", "max", "unit", "higherIsBetter", "binary")
    assert [scorers["grade/ward"][key] for key in keys] == [0, 5, "points", True, False]
    assert [scorers["edits/words"][key] for key in keys] == [0, 100, "words", False, False]
    (of_set,) = data["sets"]
    figures = {(figure["scorer"], figure["group"]): figure for figure in of_set["figures"]}
    assert (figures["grade/ward", "overall"]["max"], figures["grade/ward", "overall"]["unit"]) == (5, "points")
    assert (figures["edits", "letters"]["max"], figures["edits", "words"]["unit"]) == (1000, "words")
    ranges = {(found["scorer"], found["max"], found["unit"]) for found in of_set["breakdowns"]}
    assert {("grade/ward", 5, "points"), ("edits/letters", 1000, ""), ("exact_match/pefomed", 100, "%")} <= ranges


def test_runs_are_read_where_the_package_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = scored(tmp_path / "run")
    monkeypatch.delitem(SCORERS.own, "grade/ward")
    (answered,) = read_run(folder).answered.values()
    assert (answered.scorers["grade/ward"].high, answered.scorers["grade/ward"].title) == (5.0, "grade of the ward")


def test_runs_scored_by_two_versions_are_not_tested_against_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def score_anew(predictions: Sequence[Prediction]) -> list[Score]:
        return [Score(score.sample_id, score.scorer, "4", score.value) for score in score_grade(predictions)]

    first = scored(tmp_path / "a")
    newer = ScorerSpec("grade/ward", "grade", 0, 5, "points", function=score_anew, version="4")
    monkeypatch.setitem(SCORERS.own, "grade/ward", newer)
    second = scored(tmp_path / "b")
    assert main(["compare", str(first), str(second), "--out", str(tmp_path / "compare.json")]) == 0
    assert "scored by version 4, a by 3: not tested against it" in capsys.readouterr().out
    tables = {table["scorer"]: table for table in json.loads((tmp_path / "compare.json").read_text())["tables"]}
    assert tables["grade/ward"]["rows"][1]["difference"] is None
    assert tables["edits"]["rows"][1]["difference"] is not None


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (partial(score_grade, best=7.0), "vqa_rad-0: 7.0 of grade/ward is outside 0 to 5"),
        (partial(score_grade, best="good"), "vqa_rad-0: 'good' of grade/ward is outside 0 to 5"),
        (partial(score_grade, best=float("nan")), "vqa_rad-0: nan of grade/ward is outside 0 to 5"),
        (lambda predictions: score_grade(predictions)[1:], "15 scores of 16 predictions"),
        (score_edits, "vqa_rad-0: a score of 'edits/words', which it does not declare"),
    ],
)
def test_a_scorer_that_breaks_its_word_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: object, told: str
) -> None:
    wrong = ScorerSpec("grade/ward", "grade", 0, 5, "points", function=function, version="3")  # type: ignore[arg-type]
    monkeypatch.setitem(SCORERS.own, "grade/ward", wrong)
    with pytest.raises(DataError, match="scorer grade/ward does not keep to what it declares") as caught:
        make_run(tmp_path / "run", answers(RIGHT), ["grade/ward"])
    assert told in str(caught.value)
    assert not list(tmp_path.rglob("metrics.json"))
