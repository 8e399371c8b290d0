"""``pefomed rate export-preferences``: pairs and labels in TRL's columns, and everything else counted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pefomed_plugin.cli import main
from pefomed_plugin.records import Prediction, Score
from pefomed_plugin.rubrics import CANNOT_JUDGE, REPORT, VQA
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.ratings import human_spec
from pefomed_plugin.services.judgements import write_judgements
from pefomed_plugin.services.rating.preferences import (
    PREFERENCES,
    SAME,
    TIE,
    Preference,
    read_preferences,
    write_preferences,
)
from pefomed_plugin.services.rating.sheets import read_sheet, write_csv
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports


def rated(folder, predictions, *raters, rubric=VQA):
    """Predictions with a rating of each by each rater; None: not rated."""
    folder.mkdir()
    write_records(folder / "predictions.jsonl", predictions)
    spec = human_spec(rubric)
    runs = [
        [Score(found.id, spec.name, spec.version, value) for found, value in zip(predictions, rater)]
        for rater in raters
    ]
    write_judgements(predictions, rubric, spec, runs, folder, {"raters": [f"r{n}" for n in range(len(runs))]})
    return str(folder / "predictions.jsonl")


def other(predictions, texts):
    return [replace(found, prediction=text) for found, text in zip(predictions, texts)]


@pytest.fixture
def two(tmp_path):
    """Better, worse, alike, rated once, the same text, no text."""
    mine = answers(6)
    theirs = other(mine, ["b0", "b1", "b2", "b3", mine[4].prediction, None])
    one = rated(tmp_path / "a", mine, (1.0, 0.0, 1.0, 1.0, 1.0, 1.0), (1.0, 0.0, 0.0, None, 1.0, 1.0))
    two = rated(tmp_path / "b", theirs, (0.0, 1.0, 0.0, None, 0.0, 0.0), (1.0, 1.0, 1.0, None, 0.0, 0.0))
    return one, two


def rows_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_pairs_and_labels(two, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["rate", "export-preferences", *two, "--out", str(out)]) == 0
    said = capsys.readouterr().out
    pairs = rows_of(out / "dpo.jsonl")
    assert [(row["id"], row["chosen_model"], row["rejected_model"]) for row in pairs] == [
        ("invented-0", "a", "b"),
        ("invented-1", "b", "a"),
    ]
    assert pairs[0]["prompt"] == [{"role": "user", "content": "Is the invented finding 0 seen?"}]
    assert pairs[0]["chosen"] == [{"role": "assistant", "content": "the finding 0 is there"}]
    assert pairs[0]["rejected"] == [{"role": "assistant", "content": "b0"}]
    assert "1 rated alike; 1 rated of one model only; 1 the same text; 1 no text" in " ".join(said.split())
    labels = rows_of(out / "kto.jsonl")
    assert [row["label"] for row in labels if row["model"] == "a"] == [True, False, True, True, True]
    assert "3 in the middle of the range; 1 not rated; 1 no text" in " ".join(said.split())
    assert "without images" in said
    assert "5 questions are of a test split" in " ".join(said.split())


def test_a_margin_and_a_level(two, tmp_path, capsys):
    wanted = ["rate", "export-preferences", *two, "--json", "--out"]
    assert main([*wanted, str(tmp_path / "m"), "--margin", "0.6", "--format", "dpo"]) == 0
    assert json.loads(capsys.readouterr().out)["dpo"] == {
        "rows": 1,
        "left_out": {"rated alike": 2, "rated of one model only": 1, "the same text": 1, "no text": 1},
    }
    assert main([*wanted, str(tmp_path / "g"), "--good", "0.5", "--format", "kto"]) == 0
    assert json.loads(capsys.readouterr().out)["kto"]["rows"] == 10
    assert not (tmp_path / "g" / "dpo.jsonl").exists()


def test_reports_ask_by_the_mark_of_their_task(tmp_path):
    mine = written_reports(2)
    one = rated(tmp_path / "a", mine, (4.0, 1.0), rubric=REPORT)
    two = rated(tmp_path / "b", other(mine, ["x", "y"]), (2.0, 3.0), rubric=REPORT)
    assert main(["rate", "export-preferences", one, two, "--out", str(tmp_path / "out")]) == 0
    assert rows_of(tmp_path / "out" / "dpo.jsonl")[0]["prompt"] == [{"role": "user", "content": "[report]"}]


def test_scores_of_a_scorer_stand_in_for_ratings(tmp_path):
    mine = answers(2)
    for name, texts in (("a", ["yes", "x"]), ("b", ["x", "y"])):
        (tmp_path / name).mkdir()
        found = other(mine, texts)
        write_records(tmp_path / name / "predictions.jsonl", found)
        write_scores(found, ["exact_match"], tmp_path / name, {})
    runs = [str(tmp_path / name / "predictions.jsonl") for name in "ab"]
    out = tmp_path / "out"
    assert main(["rate", "export-preferences", *runs, "--scorer", "exact_match", "--out", str(out)]) == 0
    assert [row["chosen_model"] for row in rows_of(out / "dpo.jsonl")] == ["a"]


@pytest.fixture
def sides(tmp_path):
    """Two models side by side: won, lost, one verdict each way, a tie, cannot judge, nobody asked, the same text."""
    mine = answers(7)
    theirs = other(mine, [f"b{n}" for n in range(6)] + [mine[6].prediction])
    for name, predictions in (("a", mine), ("b", theirs)):
        (tmp_path / name).mkdir()
        write_records(tmp_path / name / "predictions.jsonl", predictions)

    def said(number, rater, preferred, reason=None):
        first, second = ("b", "a") if number % 2 else ("a", "b")
        return Preference(mine[number].id, number, rater, 1, first, second, preferred, reason)

    verdicts = [said(0, "r", "a"), said(0, "s", "a"), said(1, "r", "b"), said(1, "s", TIE), said(2, "r", "a")]
    verdicts += [said(2, "s", "b"), said(3, "r", TIE), said(4, "r", None, CANNOT_JUDGE)]
    verdicts += [Preference(mine[6].id, 6, None, None, "a", "b", TIE, SAME)]
    (tmp_path / "study").mkdir()
    write_preferences(tmp_path / "study" / PREFERENCES, ("a", "b"), verdicts)
    return [str(tmp_path / name / "predictions.jsonl") for name in "ab"], tmp_path / "study"


def test_verdicts_on_two_models_side_by_side(sides, tmp_path, capsys):
    runs, study = sides
    for order in (runs, runs[::-1]):  # which is which is told by names, not by their order
        out = tmp_path / f"out-{Path(order[0]).parent.name}"
        assert main(["rate", "export-preferences", *order, "--study", str(study), "--out", str(out)]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert "8 verdicts of 2 rater(s); left out of them: 1 cannot judge" in said
        assert "left out: 2 rated alike; 2 not rated; 1 the same text" in said
        assert "not checked: whether these are the answers" in said
        pairs = rows_of(out / "dpo.jsonl")
        assert [(row["chosen_model"], row["rejected_model"], row["chosen_rating"]) for row in pairs] == [
            ("a", "b", 1.0),
            ("b", "a", 0.75),
        ]
        assert pairs[1]["chosen"][0]["content"] == "b1"
        labels = {(row["id"], row["model"]): row["label"] for row in rows_of(out / "kto.jsonl")}
        assert labels == {
            ("invented-0", "a"): True,
            ("invented-0", "b"): False,
            ("invented-1", "a"): False,
            ("invented-1", "b"): True,
        }
    wanted = ["--study", str(study / PREFERENCES), "--format", "dpo", "--margin", "0.5", "--out", str(tmp_path / "m")]
    assert main(["rate", "export-preferences", *runs, *wanted, "--json"]) == 0
    assert "8 verdicts" in json.loads(capsys.readouterr().out)["notes"][1]
    assert [row["id"] for row in rows_of(tmp_path / "m" / "dpo.jsonl")] == ["invented-0"]


def test_verdicts_on_other_answers_are_refused(sides, tmp_path, capsys):
    runs, study = sides

    def refused(*words):
        assert main(["rate", "export-preferences", *words, "--out", str(tmp_path / "out")]) == 2
        assert not (tmp_path / "out").exists()
        return " ".join(capsys.readouterr().err.split())

    assert "give the PREDICTIONS of the two, and --study" in refused(str(study / PREFERENCES))
    assert "give the PREDICTIONS of the two, and --study" in refused(str(study), "--format", "kto")
    assert "takes the two's answers: 1 PREDICTIONS" in refused(runs[0], "--study", str(study))
    assert "leave it out" in refused(*runs, "--study", str(study), "--scorer", "exact_match")
    named = refused(*runs, "--study", str(study), "--label", "x", "--label", "y")
    assert "compares 'a' and 'b'" in named and "--label NAME" in named
    assert "no such file" in refused(*runs, "--study", str(tmp_path / "a"))
    models, found = read_preferences(study)
    (study / PREFERENCES).unlink()  # verdicts of other raters are not written over
    write_preferences(study / PREFERENCES, models, [replace(found[0], preferred="c"), replace(found[1], sample_id="x")])
    wrong = refused(*runs, "--study", str(study))
    assert "'c' is neither a model nor a tie" in wrong and "x: not among the answers" in wrong
    (study / PREFERENCES).unlink()
    write_preferences(study / PREFERENCES, models, found[-2:])
    assert "nobody preferred anything" in refused(*runs, "--study", str(study))


def test_a_study_is_of_the_answers_that_it_was_made_for(tmp_path, capsys):
    mine = answers(3)
    runs = []
    for name, texts in (("a", ["x", "y", "z"]), ("b", ["u", "v", "w"])):
        (tmp_path / name).mkdir()
        runs.append(str(tmp_path / name / "predictions.jsonl"))
        write_records(Path(runs[-1]), other(mine, texts))
    study, sides = tmp_path / "study", [runs[0], "--against", runs[1]]
    assert main(["rate", "export", *sides, "--raters", "anna", "--csv", "--out", str(study)]) == 0
    sheet = study / "anna.csv"
    write_csv(sheet, [replace(row, rating="A" if row.answer in "xyz" else "B") for row in read_sheet(sheet)], True)
    assert main(["rate", "import", str(study), *sides]) == 0
    wanted = ["rate", "export-preferences", *runs, "--study", str(study), "--out"]
    assert main([*wanted, str(tmp_path / "out")]) == 0
    assert "not checked" not in capsys.readouterr().out
    assert [row["chosen"][0]["content"] for row in rows_of(tmp_path / "out" / "dpo.jsonl")] == ["x", "y", "z"]
    write_records(Path(runs[0]), other(mine, ["other", "y", "z"]))
    assert main([*wanted, str(tmp_path / "again")]) == 2
    assert "was made for other predictions" in " ".join(capsys.readouterr().err.split())


def test_images_go_into_parquet_that_datasets_gives_to_trl(two, tmp_path):
    datasets = pytest.importorskip("datasets")
    for number in range(2):
        Image.new("RGB", (9, 7), (number, 0, 0)).save(tmp_path / f"image{number}.png")
    out = tmp_path / "out"
    assert main(["rate", "export-preferences", *two, "--image-root", str(tmp_path), "--out", str(out)]) == 0
    for name, columns in (("dpo", {"prompt", "chosen", "rejected"}), ("kto", {"prompt", "completion", "label"})):
        found = datasets.Dataset.from_parquet(str(out / f"{name}.parquet"), cache_dir=str(tmp_path / "cache"))
        assert columns | {"images"} <= set(found.column_names)
        assert found[0]["images"][0].size == (9, 7)
        assert found[0]["prompt"][0]["role"] == "user"


def test_answers_of_training_are_not_warned_about_and_what_is_empty_is_said(tmp_path, capsys):
    mine = [replace(found, split="train") for found in answers(2)]
    one = rated(tmp_path / "a", mine, (0.5, 0.5))
    two = rated(tmp_path / "b", other(mine, ["x", "y"]), (0.5, 0.5))
    wanted = ["rate", "export-preferences", one, two, "--out", str(tmp_path / "out")]
    assert main([*wanted, "--good", "0.5"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "dpo: nothing to write; 2 rated alike; take --format kto alone" in said
    assert not (tmp_path / "out").exists()
    assert main([*wanted, "--good", "0.5", "--format", "kto"]) == 0
    assert "test split" not in capsys.readouterr().out


def test_what_is_not_public_is_the_users_alone(tmp_path, capsys):
    mask = os.umask(0o022)
    try:
        mine = [Prediction.from_json({**found.to_json(), "dataset": "mimic_cxr"}) for found in written_reports(1)]
        one = rated(tmp_path / "a", mine, (4.0,), rubric=REPORT)
        two = rated(tmp_path / "b", other(mine, ["x"]), (2.0,), rubric=REPORT)
        assert main(["rate", "export-preferences", one, two, "--out", str(tmp_path / "out")]) == 0
        assert (tmp_path / "out" / "dpo.jsonl").stat().st_mode & 0o077 == 0
    finally:
        os.umask(mask)


def test_mistakes_are_named(two, tmp_path, capsys):
    def refused(*arguments):
        assert main(["rate", "export-preferences", *arguments]) == 2
        return " ".join(capsys.readouterr().err.split())

    out = ["--out", str(tmp_path / "out")]
    assert "two PREDICTIONS" in refused(two[0], "--format", "dpo", *out)
    assert "2 files and 1 different names" in refused(*two, "--label", "x", "--label", "x", *out)
    assert "the same file twice" in refused(two[0], two[0], *out)
    assert "one --label for each" in refused(*two, "--label", "x", *out)
    assert "--good 7" in refused(*two, "--good", "7", *out)
    assert "--margin" in refused(*two, "--margin", "-1", *out)
    assert "--margin is for pairs" in refused(*two, "--margin", "0.1", "--format", "kto", *out)
    assert "holds no scores of 'exact_mach'" in refused(*two, "--scorer", "exact_mach", *out)
    assert "nothing to write" in refused(*two, "--margin", "1", "--format", "dpo", *out)
    assert "there is no folder" in refused(*two, "--image-root", str(tmp_path / "none"), *out)
    assert not (tmp_path / "out").exists()
    assert "is there already" in refused(*two, "--out", str(tmp_path / "a"))
    strange = [replace(found, question="Another?") for found in answers(6)]
    third = rated(tmp_path / "c", strange, (1.0,) * 6)
    assert "invented-0: another question" in refused(two[0], third, *out)
    (tmp_path / "d").mkdir()
    write_records(tmp_path / "d" / "predictions.jsonl", answers(6))
    assert "holds no people's ratings (there: none)" in refused(two[0], str(tmp_path / "d" / "predictions.jsonl"), *out)
