"""``pefomed rate`` with two models side by side: from two prediction files to a win rate with its interval."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.reporting.preferences import win_rates
from pefomed_plugin.rubrics import CANNOT_JUDGE
from pefomed_plugin.services.rating.plan import make_plan
from pefomed_plugin.services.rating.preferences import (
    SAME,
    TIE,
    Preference,
    pair_up,
    preference_rubric,
    read_preferences,
)
from pefomed_plugin.services.rating.sheets import read_sheet, write_csv
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers


@pytest.fixture
def two(tmp_path):
    """Twelve answers of two models, of which two are the same and one is missing."""
    one = [replace(each, prediction=f"good {each.id}") for each in answers(12)]
    other = [replace(each, prediction=f"bad {each.id}") for each in answers(12)]
    other[0], other[1] = replace(other[0], prediction=f" good  {one[0].id}"), replace(one[1])
    other[2] = replace(other[2], prediction=None)
    paths = []
    for name, predictions in (("full", one), ("none", other)):
        (tmp_path / name).mkdir()
        write_records(tmp_path / name / "predictions.jsonl", predictions)
        paths.append(str(tmp_path / name / "predictions.jsonl"))
    return paths


def fill(path, choose):
    write_csv(path, [replace(row, rating=choose(row)) for row in read_sheet(path)], True)


def better(word):
    """What somebody says who always prefers the answer with this word."""
    return lambda row: "A" if row.answer.startswith(word) else "B"


def test_from_two_files_to_a_win_rate(two, tmp_path, capsys):
    study = tmp_path / "s"
    sides = [two[0], "--against", two[1]]
    assert main(["rate", "export", *sides, "--raters", "anna,boris", "--csv", "--out", str(study)]) == 0
    said = capsys.readouterr().out
    assert "9 of 11 answers" in said and "2 item(s) with the same answer" in said and "1 item(s) left out" in said
    rows = read_sheet(study / "anna.csv")
    assert {row.answer.split()[0] for row in rows} == {"good", "bad"}  # the order is drawn for each item
    text = (study / "anna.csv").read_text()
    assert "full" not in text and "none" not in text and "invented-0\n" not in text
    fill(study / "anna.csv", better("good"))
    rows_at = {row.item: at for at, row in enumerate(read_sheet(study / "boris.csv"))}
    fill(study / "boris.csv", lambda row: {0: "tie", 1: CANNOT_JUDGE}.get(rows_at[row.item], better("good")(row)))
    assert main(["rate", "import", str(study), *sides]) == 0
    said = capsys.readouterr().out
    assert "full against none" in said and "not shown: they are ties" in said and "Pairs of raters" in said
    assert main(["rate", "preferences", str(study), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    rates = found["rates"]
    assert found["models"] == ["full", "none"] and found["same"] == 2
    anna, boris, every = rates["anna"], rates["boris"], rates["all raters"]
    assert (anna["wins"], anna["ties"], anna["same"], anna["losses"]) == (9, 0, 2, 0)
    assert (boris["wins"], boris["ties"], boris["cannot_judge"]) == (7, 1, 1)
    assert anna["ties_half"]["value"] == pytest.approx(100 * (9 + 1) / 11) and anna["ties_half"]["n"] == 11
    assert anna["ties_left_out"]["value"] == 100 and anna["ties_left_out"]["n"] == 9
    assert every["ties_half"]["value"] == pytest.approx(100 * (8 + 0.75 + 1) / 11)
    low, high = every["ties_half"]["interval"]["low"], every["ties_half"]["interval"]["high"]
    assert low < every["ties_half"]["value"] < high
    assert found["pairs"]["anna ~ boris"]["n"] == 8


def test_each_line_says_in_which_order_it_was_shown(two, tmp_path):
    study = tmp_path / "s"
    sides = [two[0], "--against", two[1], "--label", "ours", "--label", "theirs"]
    assert main(["rate", "export", *sides, "--raters", "anna", "--csv", "--out", str(study)]) == 0
    fill(study / "anna.csv", lambda row: "A")
    assert main(["rate", "import", str(study), *sides]) == 0
    models, found = read_preferences(study)
    assert models == ("ours", "theirs")
    asked = [each for each in found if each.rater]
    assert all(each.preferred == each.first for each in asked) and {each.first for each in asked} == set(models)
    assert [each.reason for each in found if not each.rater] == [SAME] * 2
    rate = win_rates(models, found)["rates"]["anna"]
    assert rate["first_shown_won"] == 9 and rate["wins"] + rate["losses"] == 9 and rate["wins"] > 0 < rate["losses"]


def test_who_gives_something_else_is_told(two, tmp_path, capsys):
    study = tmp_path / "s"
    assert main(["rate", "export", two[0], "--against", two[1], "--raters", "a", "--csv", "--out", str(study)]) == 0
    assert main(["rate", "import", str(study), two[0]]) == 2
    assert "--against" in capsys.readouterr().err
    assert main(["rate", "import", str(study), two[0], "--against", two[1], "--by", "organ"]) == 2
    assert "--by is for ratings of one model" in " ".join(capsys.readouterr().err.split())
    fill(study / "a.csv", lambda row: "2")
    assert main(["rate", "import", str(study), two[0], "--against", two[1]]) == 2
    assert "choose one of A, B, tie or cannot judge" in " ".join(capsys.readouterr().err.split())
    write_records(tmp_path / "other.jsonl", answers(3))
    assert (
        main(["rate", "export", two[0], "--against", str(tmp_path / "other.jsonl"), "--out", str(tmp_path / "t")]) == 2
    )
    assert "not about the same samples" in " ".join(capsys.readouterr().err.split())
    assert main(["rate", "export", two[0], "--label", "a", "--label", "b", "--out", str(tmp_path / "t")]) == 2
    assert main(["rate", "preferences", str(tmp_path)]) == 2
    (study / "preferences.jsonl").write_text('{"models": ["a", "b"]}\n{"sample_id": 3}\n')
    assert main(["rate", "preferences", str(study)]) == 2
    assert "line 2" in capsys.readouterr().err


def test_the_order_is_one_of_two_about_as_often(tmp_path):
    pairs = pair_up(answers(400), [replace(each, prediction="other") for each in answers(400)], tmp_path)

    plan = make_plan(pairs.predictions, preference_rubric("vqa"), 1, scope="all")
    turned = [plan.is_turned("anna", sample_id) for sample_id in plan.sample_ids]
    assert 160 < sum(turned) < 240
    assert turned != [plan.is_turned("boris", sample_id) for sample_id in plan.sample_ids]


def test_an_item_weighs_the_same_however_many_saw_it():
    def said(item, rater, preferred):
        return Preference(item, int(item), rater, 1, "x", "y", preferred, None)

    found = win_rates(("x", "y"), [said("0", "a", "x"), said("0", "b", "x"), said("1", "a", "y"), said("2", "a", TIE)])
    every = found["rates"]["all raters"]
    assert every["ties_half"]["value"] == pytest.approx(50) and every["ties_left_out"]["value"] == pytest.approx(50)
    nothing = win_rates(("x", "y"), [Preference("0", 0, "a", 1, "x", "y", None, CANNOT_JUDGE)])["rates"]["a"]
    assert nothing["ties_half"]["value"] is None and nothing["cannot_judge"] == 1


def test_where_everybody_says_the_same_it_is_told_why_there_is_no_interval(two, tmp_path, capsys):
    study, sides = tmp_path / "s", [two[0], "--against", two[1]]
    assert main(["rate", "export", *sides, "--raters", "anna,boris", "--csv", "--out", str(study)]) == 0
    for rater in ("anna", "boris"):
        fill(study / f"{rater}.csv", lambda row: "tie")
    capsys.readouterr()
    assert main(["rate", "import", str(study), *sides]) == 0
    said = capsys.readouterr().out
    assert "No interval: ties as half of all raters, ties as half of anna, ties as half of boris (all " in said
    assert "no verdict is left" in said and "undefined: one of the two gives every item the same value" in said


@pytest.mark.parametrize("side", ["answer", "second"])
def test_an_answer_that_was_emptied_is_an_edit(two, tmp_path, capsys, side):
    study, sides = tmp_path / "s", [two[0], "--against", two[1]]
    assert main(["rate", "export", *sides, "--raters", "anna", "--csv", "--out", str(study)]) == 0
    rows = [replace(row, rating="A") for row in read_sheet(study / "anna.csv")]
    write_csv(study / "anna.csv", [replace(rows[0], **{side: ""}), *rows[1:]], True)
    capsys.readouterr()
    assert main(["rate", "import", str(study), *sides]) == 2
    assert f"line 2: the answer {'A' if side == 'answer' else 'B'} was edited" in capsys.readouterr().err


def test_one_study_does_not_take_the_place_of_another(two, tmp_path, capsys):
    sides, out = [two[0], "--against", two[1]], str(tmp_path / "out")
    for rater in ("anna", "boris"):
        study = tmp_path / rater
        assert main(["rate", "export", *sides, "--raters", rater, "--csv", "--out", str(study)]) == 0
        fill(study / f"{rater}.csv", better("good"))
    assert main(["rate", "import", str(tmp_path / "anna"), *sides, "--out", out]) == 0
    assert main(["rate", "import", str(tmp_path / "anna"), *sides, "--out", out]) == 0, "the same study once more"
    capsys.readouterr()
    assert main(["rate", "import", str(tmp_path / "boris"), *sides, "--out", out]) == 2
    assert "holds preferences of anna, which this study has not" in capsys.readouterr().err
    assert {each.rater for each in read_preferences(tmp_path / "out")[1]} == {None, "anna"}
    (tmp_path / "out" / "preferences.jsonl").write_text("cut")
    assert main(["rate", "import", str(tmp_path / "boris"), *sides, "--out", out]) == 0, "a damaged one is replaced"
