"""``pefomed jury`` on judgements that lie in a folder."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import BUILT_IN
from pefomed_plugin.scoring.ratings import judge_spec
from pefomed_plugin.services.judgements import write_judgements
from tests.unit.reporting.made import answers, make_run, rate

VOTES = {"one": [1, 1, 0, 0], "two": [1, 0, 0, 1], "three": [1, 1, 1, None]}


@pytest.fixture
def judged(tmp_path):
    """A test set that three models judged."""
    rows = answers([True] * 4)
    folder = make_run(tmp_path / "run", rows) / "results/vqa_rad-test"
    for number, (model, values) in enumerate(VOTES.items()):
        rate(folder, rows, f"judge/vqa/{model}", [values], {"cost": 0.25 * number})
    return folder


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def test_a_jury_is_a_scorer_beside_its_judges(judged, capsys):
    assert main(["jury", str(judged / "predictions.jsonl"), "--by", "organ"]) == 0
    shown = capsys.readouterr().out
    name = "jury/vqa/one+three+two"
    for words in (f"{name}, vqa_rad test", "ties, left without a verdict: 1", "cost of their replies: 0.7500", "alpha"):
        assert words in shown, shown
    found = metrics(judged)
    assert found["scores"][name]["overall"]["value"] == pytest.approx(200 / 3)
    assert found["scores"][name]["overall"]["unscored"] == 1 and "organ CHEST" in found["scores"][name]
    assert found["judges"][name]["differ"]["judge/vqa/one ~ judge/vqa/two"] == 2
    assert found["judges"][name]["mean"]["value"] == pytest.approx((50 + 50 + 100) / 3)
    assert main(["agree", str(judged / "predictions.jsonl")]) == 0
    assert name in metrics(judged)["agreement"]["raters"]


def test_a_model_that_judged_by_two_rubrics_is_named_whole(judged, capsys):
    first, second = BUILT_IN["vqa"].levels
    rubric = replace(BUILT_IN["vqa"], name="harm", levels=(replace(first, description="It would harm."), second))
    rows = answers([True] * 4)
    scores = [[Score(row.id, "judge/harm/one", "1", 1.0) for row in rows]]
    write_judgements(rows, rubric, judge_spec(rubric, "one"), scores, judged, {})
    command = ["jury", str(judged / "predictions.jsonl"), "--judges"]
    assert main([*command, "one,two"]) == 2
    assert "give one of judge/harm/one, judge/vqa/one" in capsys.readouterr().err
    assert main([*command, "judge/vqa/one,two"]) == 0 and "jury/vqa/one+two" in metrics(judged)["scores"]
    assert main([*command, "judge/harm/one,two"]) == 2
    assert "judges of one jury rate by one rubric" in capsys.readouterr().err


def test_a_jury_is_dropped_when_a_judge_judges_anew(judged, capsys):
    assert main(["jury", str(judged / "predictions.jsonl"), "--judges", "two,one"]) == 0
    assert main(["jury", str(judged / "predictions.jsonl"), "--judges", "one,three"]) == 0
    capsys.readouterr()
    rate(judged, answers([True] * 4), "judge/vqa/three", [[0, 0, 0, 0]])
    assert "jury/vqa/one+three: dropped" in capsys.readouterr().out
    found = metrics(judged)
    for section in ("scores", "scorers", "judges"):
        assert "jury/vqa/one+two" in found[section] and "jury/vqa/one+three" not in found[section]
    assert [path.name for path in sorted((judged / "scores").glob("jury*"))] == ["jury-vqa-one+two.run1.jsonl"]


@pytest.mark.parametrize(
    ("judges", "message"),
    [
        ("one,twoo", "'twoo' has not judged these predictions; did you mean 'two'?"),
        ("one,one", "'one' is named twice"),
        ("one", "two judges or more, not 1"),
        ("one,judge/vqa/one", "'judge/vqa/one' is named twice"),
    ],
)
def test_judges_that_are_none(judged, capsys, judges, message):
    assert main(["jury", str(judged / "predictions.jsonl"), "--judges", judges]) == 2
    assert message in capsys.readouterr().err
