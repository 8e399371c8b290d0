"""Judges and raters of one folder against each other."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import DataError
from pefomed_plugin.records import Score
from pefomed_plugin.reporting.agreement import measure_agreement
from pefomed_plugin.reporting.agreement_tables import agreement_tables
from pefomed_plugin.rubrics import built_in_rubric
from pefomed_plugin.scoring.ratings import human_spec, judge_spec
from pefomed_plugin.services.judgements import write_judgements
from pefomed_plugin.services.rating.plan import SCOPES
from pefomed_plugin.services.rating.study import MATCHED, NOT_RATED
from tests.unit.services.judged import answers, written_reports


def put(folder, predictions, scorer, *runs, reasons=None, facts=None):
    """Runs of one scorer, whose values are given in the order of the predictions."""
    reasons = reasons or {}
    scored = [
        [
            Score(prediction.id, scorer, "1", value, reasons.get(prediction.id))
            for prediction, value in zip(predictions, run)
        ]
        for run in runs
    ]
    rubric = built_in_rubric(predictions[0].task)
    spec = human_spec(rubric) if scorer.startswith("human") else judge_spec(rubric, "invented")
    write_judgements(predictions, rubric, spec, scored, folder, facts or {})


def test_every_pair_of_exact_match_judge_and_raters(tmp_path):
    predictions = [
        answer
        for number in range(12)
        for answer in answers(number + 1, prediction="yes" if number % 4 == 0 else "no")[number:]
    ]
    put(tmp_path, predictions, "judge/vqa/invented", [1, 1, 0, 0] * 3, [1, 0, 0, 0] * 3, [1, 1, 0, 1] * 3)
    put(tmp_path, predictions, "human/vqa", [1, 1, 0, 0] * 3, [1, 1, 0, 1] * 3)
    found = measure_agreement(predictions, tmp_path)
    assert sorted(found["pairs"]) == [
        "exact_match/pefomed ~ judge/vqa/invented",
        "exact_match/pefomed ~ people (median)",
        "exact_match/pefomed ~ rater 1",
        "exact_match/pefomed ~ rater 2",
        "judge/vqa/invented ~ people (median)",
        "judge/vqa/invented ~ rater 1",
        "judge/vqa/invented ~ rater 2",
        "rater 1 ~ rater 2",
    ]
    assert found["raters"] == {"exact_match/pefomed": 12, "judge/vqa/invented": 12, "rater 1": 12, "rater 2": 12}
    assert found["pairs"]["judge/vqa/invented ~ rater 1"]["figures"]["kappa"]["value"] == 1.0
    assert found["pairs"]["exact_match/pefomed ~ judge/vqa/invented"]["table"] == ((6, 3), (0, 3))
    assert sorted(found["alpha"]) == ["all", "people"]
    flips = found["flips"]["judge/vqa/invented"]
    assert (flips["items"], flips["flipping"]) == (12, 0.5)
    assert flips["rate"] == pytest.approx(1 / 6)


def test_what_raters_did_not_rate_is_no_opinion_of_theirs(tmp_path):
    predictions = answers(6)
    put(tmp_path, predictions, "judge/vqa/invented", [1, 0, 1, 0, 1, 0])
    put(
        tmp_path,
        predictions,
        "human/vqa",
        [1, 1, 1, 0, 1, None],
        reasons={"invented-0": MATCHED, "invented-1": MATCHED, "invented-5": NOT_RATED},
    )
    pair = measure_agreement(predictions, tmp_path)["pairs"]["judge/vqa/invented ~ rater 1"]
    assert (pair["n"], pair["figures"]["kappa"]["value"]) == (3, 1.0)


def test_reports_are_corrected_where_enough_were_rated(tmp_path):
    predictions = written_reports(60)
    put(tmp_path, predictions, "judge/report/invented", [3, 4] * 30, [3, 4] * 30)
    put(tmp_path, predictions, "human/report", [2, 3] * 20 + [None] * 20, [1, 3] * 20 + [None] * 20)
    found = measure_agreement(predictions, tmp_path)["corrected"]["judge/report/invented"]
    assert (found["judge"], found["people"], found["rated"], found["n"]) == (3.5, 2.25, 40, 60)
    assert found["prediction_powered"]["value"] == pytest.approx(2.25) and "rogan_gladen" not in found
    put(tmp_path, predictions, "human/report", [2] + [None] * 59)
    found = measure_agreement(predictions, tmp_path)["corrected"]["judge/report/invented"]
    assert found["prediction_powered"]["value"] is None
    assert found["prediction_powered"]["reason"] == "too few ratings: 1, needs 20"


def test_answers_are_corrected_in_percent_and_by_group(tmp_path):
    predictions = answers(80)
    put(tmp_path, predictions, "judge/vqa/invented", [1, 1, 1, 0] * 20)
    put(tmp_path, predictions, "human/vqa", [1, 0, 1, 0] * 15 + [None] * 20)
    found = measure_agreement(predictions, tmp_path, axes=["dataset"])["corrected"]["judge/vqa/invented"]
    assert (found["unit"], found["judge"], found["people"]) == ("%", 75.0, 50.0)
    assert found["sensitivity"]["value"] == 100.0 and found["specificity"]["value"] == pytest.approx(50.0)
    assert found["rogan_gladen"]["value"] == pytest.approx(50.0)
    (group,) = found["groups"].values()
    assert group["prediction_powered"] == found["prediction_powered"]


def test_ratings_of_what_failed_exact_match_correct_nothing(tmp_path):
    predictions = answers(30)
    put(tmp_path, predictions, "judge/vqa/invented", [1, 0] * 15)
    put(tmp_path, predictions, "human/vqa", [1, 0] * 15, facts={"scope": SCOPES["failures"]})
    found = measure_agreement(predictions, tmp_path)["corrected"]["judge/vqa/invented"]
    assert found["value"] is None and "--random" in found["reason"]
    shown = [row for table in agreement_tables({**measure_agreement(predictions, tmp_path)}) for row in table.texts()]
    assert any("--random" in place for row in shown for place in row)


def test_the_command_writes_and_shows_it(tmp_path, capsys):
    predictions = written_reports(12)
    put(tmp_path, predictions, "judge/report/invented", [1, 2, 3, 4] * 3)
    put(tmp_path, predictions, "human/report", [1, 2, 3, 3] * 3, [0, 0, 0, 0] * 3)
    assert main(["agree", str(tmp_path / "predictions.jsonl")]) == 0
    section = json.loads((tmp_path / "metrics.json").read_text())["agreement"]
    constant = section["pairs"]["judge/report/invented ~ rater 2"]["figures"]["spearman"]
    assert constant["value"] is None and "same value" in constant["reason"]
    assert section["flips"]["judge/report/invented"]["reason"] == "no item was judged twice"
    assert "judge/report/invented" in json.loads((tmp_path / "metrics.json").read_text())["scores"]
    whole = json.loads((tmp_path / "agreement.json").read_text())
    assert whole["flips"]["judge/report/invented"].pop("per_item") == [None] * 12
    assert {key: whole[key] for key in section} == section and whole["n"] == 12
    shown = capsys.readouterr().out
    assert "Krippendorff" in shown and "WASM corrected by people's ratings" in shown
    assert "too few ratings: 12, needs 20" in shown


def test_one_rater_alone_agrees_with_nobody(tmp_path):
    predictions = written_reports(3)
    put(tmp_path, predictions, "human/report", [1, 2, 3])
    with pytest.raises(DataError, match="one rater at most"):
        measure_agreement(predictions, tmp_path)


@pytest.mark.parametrize(("count", "title"), [(2, "Agreement of pairs"), (3, "Pairs of raters: Cohen's kappa")])
def test_each_pair_of_people_is_shown_once_and_says_who_they_are(tmp_path, count, title):
    predictions = written_reports(4)
    runs = [[1, 2, 3, (number + 3) % 5] for number in range(count)]
    put(tmp_path, predictions, "human/report", *runs, facts={"raters": ["anna", "boris", "clara"][:count]})
    tables = agreement_tables(measure_agreement(predictions, tmp_path))
    [table] = [table for table in tables if any(row[0] == "rater 1 ~ rater 2" for row in table.texts())]
    assert table.title == title
    assert any("rater 1 is anna, rater 2 is boris" in note for note in table.notes)
