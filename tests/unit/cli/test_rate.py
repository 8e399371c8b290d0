"""``pefomed rate`` from predictions to figures."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.records import Score
from pefomed_plugin.rubrics import VQA
from pefomed_plugin.scoring.files import read_scores
from pefomed_plugin.scoring.ratings import human_spec, judge_spec
from pefomed_plugin.services.judgements import write_judgements
from pefomed_plugin.services.rating.folder import begin_plan
from pefomed_plugin.services.rating.plan import SCOPES
from pefomed_plugin.services.rating.store import STORE, RatingStore
from pefomed_plugin.storage import write_records
from tests.unit.services.judged import answers, written_reports

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def path(tmp_path):
    write_records(tmp_path / "predictions.jsonl", answers(12, organ="HEAD"))
    return tmp_path / "predictions.jsonl"


def rate(path, value, name="rating"):
    book = openpyxl.load_workbook(path)
    column = next(cell.column for cell in book["Ratings"][1] if cell.value == name)
    for line in range(2, book["Ratings"].max_row + 1):
        book["Ratings"].cell(line, column, value(line))
    book.save(path)


def test_there_and_back(path, tmp_path, capsys):
    assert main(["rate", "export", str(path), "--annotators", "2", "--out", str(tmp_path / "r")]) == 0
    assert "12 of 12 answers for 2 rater(s)" in capsys.readouterr().out
    rate(tmp_path / "r" / "rater01.xlsx", lambda line: 1)
    rate(tmp_path / "r" / "rater02.xlsx", lambda line: 0)
    assert main(["rate", "import", str(tmp_path / "r"), str(path), "--by", "organ"]) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    figures = metrics["scores"]["human/vqa"]
    assert (figures["overall"]["value"], figures["overall"]["runs"]) == (50.0, 2)
    assert figures["overall"]["sd"] == pytest.approx(100 / 2**0.5)
    assert figures["organ HEAD"]["value"] == 50.0
    assert "failed exact match" in figures["scope"]
    assert metrics["judges"]["human/vqa"]["rated"] == 12
    assert "failed exact match" in capsys.readouterr().out


def test_a_random_sample_of_reports_is_summarised_by_itself(tmp_path):
    write_records(tmp_path / "predictions.jsonl", written_reports(20))
    path = str(tmp_path / "predictions.jsonl")
    assert main(["rate", "export", path, "--annotators", "1", "--random", "8", "--out", str(tmp_path / "r")]) == 0
    rate(tmp_path / "r" / "rater01.xlsx", lambda line: line % 5)
    assert main(["rate", "import", str(tmp_path / "r"), str(tmp_path / "predictions.jsonl")]) == 0
    overall = json.loads((tmp_path / "metrics.json").read_text())["scores"]["human/report"]["overall"]
    assert (overall["n"], overall["unscored"]) == (8, 0)


def figures_of(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    return metrics["scores"]["human/vqa"]["overall"], metrics["judges"]["human/vqa"]


def test_imports_are_merged_by_rater_and_a_change_is_shown_and_kept(path, tmp_path, capsys):
    """Sheets beside a page's ratings: others stay, an empty cell takes nothing away, a change does not overwrite."""
    sheets = tmp_path / "r"
    main(["rate", "export", str(path), "--annotators", "1", "--out", str(sheets)])
    rate(sheets / "rater01.xlsx", lambda line: 1)
    assert main(["rate", "import", str(sheets), str(path)]) == 0
    plan = begin_plan(tmp_path / "page", answers(12, organ="HEAD"), VQA, None, None, 100)
    with RatingStore(tmp_path / "page" / STORE, VQA) as store:
        for sample_id in plan.sample_ids:
            store.save("anna", sample_id, 0)
    assert main(["rate", "import", str(tmp_path / "page"), str(path)]) == 0
    overall, facts = figures_of(tmp_path)
    assert (overall["value"], overall["runs"], facts["raters"]) == (50.0, 2, ["rater01", "anna"])
    assert "imported before and kept: rater01" in capsys.readouterr().out
    rate(sheets / "rater01.xlsx", lambda line: 0 if line == 2 else None if line == 3 else 1)
    assert main(["rate", "import", str(sheets), str(path), "--allow-missing"]) == 0
    overall, facts = figures_of(tmp_path)
    assert overall["value"] == pytest.approx(100 * 11 / 24) and overall["unscored"] == 0
    shown = capsys.readouterr().out
    assert "1 rating(s) changed" in shown and ": 1 before, 0 now" in shown
    [before] = (tmp_path / "scores" / "before").iterdir()
    assert {score.value for score in read_scores(before)} == {1.0}


def test_ratings_of_another_choice_or_of_namesakes_are_not_merged(path, tmp_path, capsys):
    for number, choice in enumerate((["--all"], ["--random", "5"], ["--all", "--seed", "1"])):
        sheets = tmp_path / f"r{number}"
        main(["rate", "export", str(path), "--annotators", "1", *choice, "--out", str(sheets)])
        rate(sheets / "rater01.xlsx", lambda line: 1)
        assert main(["rate", "import", str(sheets), str(path)]) == (2 if number else 0)
    shown = capsys.readouterr().err
    assert "cannot be added to" in shown and "choice" in shown and "they may be two people" in shown


def test_a_random_choice_grows_with_its_seed(path, tmp_path, capsys):
    chosen = {}
    for number, count in enumerate(("4", "9")):
        sheets = tmp_path / f"r{number}"
        main(["rate", "export", str(path), "--annotators", "1", "--random", count, "--seed", "5", "--out", str(sheets)])
        chosen[count] = set(json.loads((sheets / "ratings.json").read_text())["sample_ids"])
    assert chosen["4"] < chosen["9"]
    rate(tmp_path / "r0" / "rater01.xlsx", lambda line: 1)
    assert main(["rate", "import", str(tmp_path / "r0"), str(path)]) == 0
    rate(tmp_path / "r1" / "rater01.xlsx", lambda line: 0 if line % 2 else None)
    assert main(["rate", "import", str(tmp_path / "r1"), str(path), "--allow-missing"]) == 0
    overall, facts = figures_of(tmp_path)
    assert facts["rated"] == 9 and overall["n"] == 9 and overall["unscored"] < 5
    capsys.readouterr()
    assert main(["rate", "import", str(tmp_path / "r0"), str(path)]) == 2  # it does not shrink
    assert "choice" in capsys.readouterr().err


def judged_and_rated(folder, rated, flip=0):
    """60 answers, 3 of 4 right, the judge wrong on every tenth; the first ``rated`` ones rated."""
    predictions = [replace(answer, images=(f"{answer.id}.png",)) for answer in answers(60)]
    folder.mkdir(exist_ok=True)
    write_records(folder / "predictions.jsonl", predictions)
    people = [float((number + flip) % 4 > 0) for number in range(60)]
    judge = [1 - value if number % 10 == 0 else value for number, value in enumerate(people)]
    given = [value if number < rated else None for number, value in enumerate(people)]
    for spec, values in ((judge_spec(VQA, "invented"), judge), (human_spec(VQA), given)):
        scores = [Score(row.id, spec.name, "1", value) for row, value in zip(predictions, values)]
        if any(value is not None for value in values):
            write_judgements(predictions, VQA, spec, [scores], folder, {"scope": SCOPES["random"]})
    return folder / "predictions.jsonl"


def test_how_many_ratings_are_needed(tmp_path, capsys):
    path = judged_and_rated(tmp_path / "a", 30)
    assert main(["rate", "plan", str(path), "--half-width", "0.13", "--json", "--by", "answer_type"]) == 0
    content = json.loads(capsys.readouterr().out)
    found, *groups = content["needed"]
    assert (found["name"], found["rated"], found["n"]) == ("judge/vqa/invented", 30, 60) and len(groups) == 2
    assert found["now"] > 0.13 > found["if_all"] and 30 < found["needed"] < found["without_judge"] <= 60
    assert main(["rate", "plan", str(path), "--half-width", "0.05"]) == 0
    shown = capsys.readouterr().out
    assert "not even all 60 answers" in shown and "of these very answers, rate about" in shown
    assert main(["rate", "plan", str(path), "--half-width", "0.4"]) == 0
    assert "enough are rated" in capsys.readouterr().out


def test_a_difference_needs_ratings_of_both(tmp_path, capsys):
    one, other = judged_and_rated(tmp_path / "a", 30), judged_and_rated(tmp_path / "b", 25, flip=1)
    assert main(["rate", "plan", str(one), "--against", str(other), "--half-width", "0.2", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["needed"]
    assert found["rated"] == 25 and found["now"] > 0.2


def test_without_enough_ratings_it_is_an_upper_bound(tmp_path, capsys):
    path = judged_and_rated(tmp_path / "a", 0)
    assert main(["rate", "plan", str(path), "--half-width", "0.15"]) == 0
    assert "An upper bound: with 0 rated" in capsys.readouterr().out


@pytest.mark.parametrize("half_width", ["2", "0", "-0.1"])
def test_a_half_width_is_a_share(tmp_path, half_width, capsys):
    path = judged_and_rated(tmp_path / "a", 30)
    assert main(["rate", "plan", str(path), "--half-width", half_width]) == 2
    assert "--half-width must be" in capsys.readouterr().err


def test_ratings_are_not_overwritten(path, tmp_path, capsys):
    arguments = ["rate", "export", str(path), "--annotators", "1", "--csv", "--out", str(tmp_path / "r")]
    assert main(arguments) == 0
    assert sorted(each.name for each in (tmp_path / "r").iterdir()) == [
        "INSTRUCTIONS.txt",
        "rater01.csv",
        "ratings.json",
    ]
    assert main(arguments) == 2
    assert "not overwritten" in capsys.readouterr().err


def test_what_cannot_be_begun_leaves_no_sheets(path, tmp_path, capsys):
    study = tmp_path / "r"
    assert main(["rate", "export", str(path), "--annotators", "0", "--out", str(study)]) == 2
    assert "--annotators must be at least 1, not 0" in capsys.readouterr().err
    plan = begin_plan(study, answers(12, organ="HEAD"), VQA, None, None, 100)
    with RatingStore(study / STORE, VQA) as store:
        store.save("anna", plan.sample_ids[0], 1)
    (study / "ratings.json").unlink()
    assert main(["rate", "export", str(path), "--csv", "--out", str(study)]) == 2
    assert "put it back" in capsys.readouterr().err
    assert not list(study.glob("*.csv")) and not (study / "ratings.json").exists()


def test_unrated_sheets_are_one_report(path, tmp_path, capsys):
    main(["rate", "export", str(path), "--annotators", "2", "--out", str(tmp_path / "r")])
    assert main(["rate", "import", str(tmp_path / "r"), str(path)]) == 2
    assert "24 problem(s)" in capsys.readouterr().err
    assert not (tmp_path / "metrics.json").exists()


def test_who_rated_nothing_is_no_rater(path, tmp_path, capsys):
    """Exact matches count as right without a rating: without this, sheets that nobody filled in gave 100 %."""
    rows = answers(12, organ="HEAD")
    write_records(path, [*rows[:6], *answers(12, prediction="yes")[6:]])
    main(["rate", "export", str(path), "--annotators", "3", "--out", str(tmp_path / "r")])
    arguments = ["rate", "import", str(tmp_path / "r"), str(path), "--allow-missing"]
    assert main(arguments) == 2
    assert "nobody has rated anything" in capsys.readouterr().err and not (tmp_path / "metrics.json").exists()
    rate(tmp_path / "r" / "rater02.xlsx", lambda line: 0 if line == 2 else None)
    assert main(arguments) == 0
    overall, facts = figures_of(tmp_path)
    assert (overall["runs"], facts["raters"]) == (1, ["rater02"])
    assert "left out, nothing rated: rater01, rater03" in capsys.readouterr().out


def test_what_would_not_be_used_of_an_export_is_refused(path, tmp_path, capsys):
    for options, words in (
        (["--raters", "anna,Anna", "--csv"], "--raters names anna twice"),
        (["--csv", "--image-root", str(tmp_path)], "CSV holds no images"),
        (["--image-root", str(tmp_path / "nowhere")], "image(s) cannot be put into the sheets"),
    ):
        assert main(["rate", "export", str(path), "--out", str(tmp_path / "s"), *options]) == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / "s").exists()
    assert main(["rate", "export", str(path), "--random", "500", "--csv", "--out", str(tmp_path / "s")]) == 0
    assert "--random 500: there are" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["report", "rate serve"])
def test_images_are_left_out_or_looked_for_and_not_both(path, tmp_path, capsys, command):
    place = [str(path.parent if command == "report" else path)]
    given = [*command.split(), *place, "--out", str(tmp_path / "out"), "--no-images", "--image-root", str(tmp_path)]
    assert main(given) == 2
    assert "--no-images leaves out what --image-root names" in capsys.readouterr().err
