"""The paper's tables from a small study: ours with the paper's in brackets, what is missing named in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.reporting.comparison.paper_rivals import TABLE_2, TABLE_5
from pefomed_plugin.reporting.latex import to_latex
from pefomed_plugin.reporting.paper.document import paper_tables
from pefomed_plugin.reporting.paper.material import read_material
from pefomed_plugin.reporting.paper.notes import departures_of
from pefomed_plugin.reporting.rendering import to_csv, to_markdown
from pefomed_plugin.reporting.table import Table
from pefomed_plugin.scoring.files import write_scores
from pefomed_plugin.scoring.leaks import SampleLeaks, TrainingFacts, write_leaks
from pefomed_plugin.storage import write_records
from tests.unit.reporting.made import make_run, rate

from .made import LEFT_OUT, PAPERS, change_first, judged, material, rows, study


def of(tables, number: int, part: int = 0) -> Table:
    return next(table for table in tables if table.number == number).parts[part]


def texts(table: Table) -> dict[str, list[str]]:
    """First column -> the other places."""
    return {row[0]: row[1:] for row in table.texts()}


def test_ours_stand_with_their_sd_before_the_papers_figures(tmp_path: Path) -> None:
    judged(study(tmp_path))
    tables = paper_tables(material(tmp_path))
    phrases = texts(of(tables, 3))
    assert phrases["exact match"] == ["75.0 (72.7)", "50.0"]
    assert phrases["GPT-4"] == ["75.0 \u00b1 0.0 (80.8 \u00b1 0.6)", "62.5 \u00b1 17.7"]
    assert phrases["people"][0] == "91.7 \u00b1 14.4 (81.5 \u00b1 1.8)"
    assert texts(of(tables, 4))["exact match"][:2] == ["66.7 (81.0)", "50.0 (79.0)"]
    assert texts(of(tables, 4))["exact match"][2] == "no such answers (72.2)"
    assert texts(of(tables, 9))["1 + 2"] == ["50.0 (62.6)", "75.0 (87.1)", "62.5 (77.4)"]
    assert texts(of(tables, 9, 1))["1 + 2"][2] == "68.8 \u00b1 8.8 (84.4 \u00b1 0.5)"
    assert texts(of(tables, 9, 2))["1 + 2"][0].endswith("(77.7 \u00b1 3.2)")


def test_every_table_of_the_paper_is_there_and_no_place_is_empty(tmp_path: Path) -> None:
    study(tmp_path)
    found = material(tmp_path)
    tables = paper_tables(found)
    assert [table.number for table in tables] == list(range(1, 13))
    for table in tables:
        for part in table.parts:
            assert part.items and all(place.strip() for row in part.texts() for place in row), part.title
    assert texts(of(tables, 9))["none"][0] == "no run (13.4)"
    assert texts(of(tables, 9, 1))["1 + 2"][0] == "not judged (79.9 \u00b1 1.2)"
    missing = "\n".join(found.missing.lines)
    assert "none, vqa_rad: no run: name its folder" in missing
    assert "both, vqa_rad: not rated: pefomed rate export" in missing and "pefomed judge vqa" in missing


def with_floor(results: Path) -> None:
    """A predictor that is right on the first half beside the answers, and a twin in training of every second."""
    made = rows([True] * 4 + [False] * 4)
    write_records(results / "floors" / "most_frequent" / "predictions.jsonl", made)
    write_scores(rows(), ["exact_match"], results, {})
    twins = [at % 2 == 0 for at in range(8)]
    write_leaks(results, SampleLeaks.of(made, TrainingFacts(9, "0" * 64, False), {"twin": twins}))


def test_floors_are_rows_and_what_training_has_is_a_table_beside_the_papers(tmp_path: Path) -> None:
    with_floor(study(tmp_path))
    found = material(tmp_path)
    tables = paper_tables(found)
    assert texts(of(tables, 9))["floor: most_frequent"] == ["50.0", "50.0", "50.0"]
    assert texts(of(tables, 3))["floor: most_frequent, exact match"] == ["50.0", "50.0"]
    assert texts(of(tables, 2))["floor: most_frequent"][1] == "exact match"
    assert "floor: most_frequent" in to_latex(of(tables, 9)).replace("\\", "")
    leaks = of(tables, 13)
    assert [column.name for column in leaks.columns[1:]] == ["with framed twin", "without framed twin"]
    assert texts(leaks)["exact match"] == ["75.0", "50.0"]
    assert texts(leaks)["floor: most_frequent, exact match"] == ["50.0", "50.0"]
    assert not any("no floor" in line for line in found.missing.lines)
    for table in tables:
        for part in table.parts:
            assert all(place.strip() for row in part.texts() for place in row), part.title

    without = read_material(found.plan, floors=False)
    assert not any("floor" in str(part.texts()) for table in paper_tables(without) for part in table.parts)
    assert not any("no floor" in line for line in without.missing.lines)


def test_where_no_floor_lies_beside_the_answers_it_is_missing(tmp_path: Path) -> None:
    study(tmp_path)
    found = material(tmp_path)
    paper_tables(found)
    assert f"vqa_rad: no floor: pefomed floors {tmp_path / 'both'} --data vqa_rad=DIR" in found.missing.lines


def test_a_run_that_is_not_there_yet_is_named_with_its_folder(tmp_path: Path) -> None:
    study(tmp_path)
    runs = {"vqa_rad": {"both": str(tmp_path / "both"), "none": str(tmp_path / "none")}}
    found = material(tmp_path, runs=runs)
    assert texts(of(paper_tables(found), 9))["none"][0] == "not run (13.4)"
    assert any(f"{tmp_path / 'none'} is not there yet" in line for line in found.missing.lines)


def test_a_folder_without_answers_yet_is_named(tmp_path: Path) -> None:
    (tmp_path / "both").mkdir()
    found = material(tmp_path)
    assert texts(of(paper_tables(found), 9))["1 + 2"][0] == "not answered (62.6)"
    assert any("holds no answers yet" in line for line in found.missing.lines)


def test_rows_about_other_samples_are_named_among_the_departures(tmp_path: Path) -> None:
    study(tmp_path)
    none = make_run(tmp_path / "none", rows([True] * 6))
    runs = {"vqa_rad": {"both": str(tmp_path / "both"), "none": str(none)}}
    (line,) = [line for line in departures_of(material(tmp_path, runs=runs).places) if line.startswith("none")]
    assert "of the samples of row both 2 are not answered" in line


def test_a_row_that_its_own_configuration_contradicts_is_named(tmp_path: Path) -> None:
    study(tmp_path)
    (line,) = departures_of(material(tmp_path).places)
    assert "its own configuration says that its stages are 2" in line


@pytest.mark.parametrize(
    "origin",
    [
        {"data": {"vqa_rad": "generated"}, "model": "tiny"},
        {"data": {"vqa_rad": "generated"}, "model": "real"},
        {"data": {"vqa_rad": "real"}, "model": "tiny"},
    ],
)
def test_no_figure_of_the_paper_stands_beside_generated_data_or_the_tiny_model(tmp_path: Path, origin: dict) -> None:
    judged(study(tmp_path, producer={"origin": origin}))
    for table in paper_tables(material(tmp_path)):
        text = "\n\n".join(map(to_markdown, table.parts))
        if table.number in (2, 3, 4, 9):
            assert PAPERS.findall(text) == [] and "Beside" not in text, text
            assert len(LEFT_OUT.findall(text)) == len(table.parts), text
            assert PAPERS.findall(to_latex(table.parts[0]).split("tabular")[1]) == []
            assert "paper" not in to_csv(table.parts[0]).splitlines()[0]
        elif table.number not in (1, 12):  # of other data sets, of which no answers are there
            assert PAPERS.findall(text) and not LEFT_OUT.findall(text), text


@pytest.mark.parametrize("place", ["row", "model"])
def test_one_generated_run_of_a_table_is_enough(tmp_path: Path, place: str) -> None:
    study(tmp_path)
    made = rows(producer={"origin": {"data": {"vqa_rad": "generated"}, "model": "real"}})
    other = str(make_run(tmp_path / "other", made))
    if place == "row":
        found = material(tmp_path, runs={"vqa_rad": {"both": str(tmp_path / "both"), "none": other}})
    else:
        found = material(tmp_path, models={"Invented": {"kind": "LLM", "answers": {"vqa_rad": other}}})
    shown = {
        table.number: bool(PAPERS.findall("\n\n".join(map(to_markdown, table.parts)))) for table in paper_tables(found)
    }
    assert {number for number in (2, 3, 4, 9) if not shown[number]} == ({9} if place == "row" else {2})


def test_a_changed_answer_changes_the_figures_and_takes_the_judges_verdicts_away(tmp_path: Path) -> None:
    results = study(tmp_path)
    judged(results)
    before = texts(of(paper_tables(material(tmp_path)), 9))["1 + 2"]
    change_first(results, "no longer what it was")
    found = material(tmp_path)
    tables = paper_tables(found)
    assert before[2] == "62.5 (77.4)" and texts(of(tables, 9))["1 + 2"][2] == "50.0 (77.4)"
    assert texts(of(tables, 9, 1))["1 + 2"][2] == "not judged (84.4 \u00b1 0.5)"
    assert any("judge/vqa/gpt-4o is about others" in line for line in found.missing.lines)


def test_another_judge_is_named_and_does_not_compare(tmp_path: Path) -> None:
    results = study(tmp_path)
    rate(results, rows(), "judge/vqa/invented", [[1.0] * 8])
    tables = paper_tables(material(tmp_path))
    assert texts(of(tables, 4))["invented (paper: GPT-4)"][0] == "100.0 (87.4 \u00b1 0.0)"
    assert any("different judges do not compare" in note for note in of(tables, 4).notes)
    rate(results, rows(), "judge/vqa/other", [[0.0] * 8])
    with pytest.raises(ConfigError, match="several judges; name one under judge"):
        paper_tables(material(tmp_path))
    assert texts(of(paper_tables(material(tmp_path, judge="other")), 4))["other (paper: GPT-4)"][0].startswith("0.0 ")


def test_models_stand_beside_ours_each_with_its_protocol(tmp_path: Path) -> None:
    study(tmp_path)
    rival = make_run(tmp_path / "rival", rows([True] * 8), ["token_recall"])
    models = {"Invented": {"kind": "LLM, imported", "trained": "7B", "answers": {"vqa_rad": str(rival)}}}
    table = of(paper_tables(material(tmp_path, models=models)), 2)
    shown = [row for row in table.texts() if row[0] == "Invented"]
    assert [row[2] for row in shown] == ["exact match", "token recall (open)"]
    assert shown[0][1:6] == ["LLM, imported", "exact match", "7B", "answers", "100.0"]
    assert [row[5] for row in table.texts() if row[0] == "MUMC"] == ["71.5"]
    ours = next(row for row in table.texts() if row[:3] == ["PeFoMed", "LLM", "exact match"])
    assert ours[3] == "56.63M (56.63M)" and ours[7] == "62.5 (77.4)"


def test_open_answers_in_other_words_are_examples(tmp_path: Path) -> None:
    judged(study(tmp_path))
    table = of(paper_tables(material(tmp_path)), 1)
    assert [row[1:] for row in table.texts()] == [
        ["What is <b>bold</b> here?", "a </script> tag", "something else"],
        ["Which plane is drawn?", "axial", "something else"],
    ]


def test_the_papers_rivals_are_typed_as_printed() -> None:
    for model in TABLE_2:
        for figures in model.figures.values():
            if len(figures) == 3:
                assert figures["open"] < figures["overall"] < figures["closed"] or "LLaVA-Med" in model.name
    assert len({model.name for model in (*TABLE_2, *TABLE_5)}) == len(TABLE_2) + len(TABLE_5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"runs": {}}, "names no run"),
        ({"runs": {"vqa_rd": {}}}, "runs.vqa_rd: no such key"),
        ({"runs": {"vqa_rad": {"stage 3": "x"}}}, "runs.vqa_rad.stage 3: no such key"),
        ({"runs": {"both": 3}}, "runs.both: 3 is not a folder"),
        ({"runs": {"both": "x"}, "models": {"A": {}}}, "models.A: no answers"),
        ({"runs": {"both": "x"}, "juge": "x"}, "juge: no such key"),
        ({"runs": {"both": "x"}, "judge": ["a"]}, "judge: ['a'] is not the name of a model"),
    ],
)
def test_mistakes_of_a_plan_are_named(tmp_path: Path, content: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        material(tmp_path, **content)


def test_a_run_of_all_data_sets_is_named_once(tmp_path: Path) -> None:
    study(tmp_path)
    found = material(tmp_path, runs={"both": str(tmp_path / "both")})
    assert found.row("vqa_rad").answered is not None and found.row("slake").reason == "not answered"
    assert any("does not answer its test split" in line for line in found.missing.lines)
