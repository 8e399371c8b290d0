"""What raters send back: all problems together, and scores under the rules of each scope."""

from __future__ import annotations

import csv

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.rubrics import BUILT_IN, VQA
from pefomed_plugin.services.rating.plan import make_plan, rating_pairs, read_plan, shown_texts, write_plan
from pefomed_plugin.services.rating.sheet_import import _code_of
from pefomed_plugin.services.rating.sheets import COLUMNS, SheetRow, read_sheet, write_csv
from pefomed_plugin.services.rating.study import MATCHED, NOT_RATED, import_study, scores_of

from ..judged import answers, written_reports


def import_ratings(folder, plan, predictions, may_be_missing=False):
    return scores_of(plan, predictions, import_study(folder, plan, predictions, may_be_missing))


def mixed():
    """Four answers, of which the first two match exactly and the last is missing."""
    return [
        answer
        for number in range(4)
        for answer in answers(number + 1, prediction=("yes", "Yes", "an invented no", None)[number])[number:]
    ]


def exported(folder, predictions, kind="vqa", annotators=2, **scope):
    plan = make_plan(predictions, BUILT_IN[kind], annotators, **scope)
    for rater in plan.raters:
        write_csv(
            folder / (rater + ".csv"),
            [SheetRow(code, *shown_texts(each)) for code, each in rating_pairs(plan, rater, predictions)],
        )
    write_plan(plan, folder)
    return plan


def fill(path, rate=lambda row: "1", change=lambda lines: lines):
    """Enter ratings as a rater would, and whatever else is done to the lines."""
    lines = [[row.item, row.question, row.reference, row.answer, rate(row), ""] for row in read_sheet(path)]
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([list(COLUMNS), *change(lines)])


def test_raters_have_orders_and_codes_of_their_own_and_see_no_id(tmp_path):
    predictions = answers(30)
    plan = exported(tmp_path, predictions, scope="all")
    first, second = ([row.item for row in read_sheet(tmp_path / (rater + ".csv"))] for rater in plan.raters)
    assert not set(first) & set(second)
    assert [plan.codes("rater01")[code] for code in first] != [plan.codes("rater02")[code] for code in second]
    assert "invented-" not in (tmp_path / "rater01.csv").read_text()
    assert make_plan(predictions, VQA, 2, scope="all") == plan


def test_as_the_paper_only_failures_are_rated_and_matches_count_as_right(tmp_path):
    predictions = mixed()
    plan = exported(tmp_path, predictions)
    assert plan.sample_ids == ("invented-2",)
    fill(tmp_path / "rater01.csv")
    fill(tmp_path / "rater02.csv", lambda row: " 0 ")
    first, second = import_ratings(tmp_path, plan, predictions)
    assert [each.value for each in first] == [1.0, 1.0, 1.0, 0.0]
    assert [each.value for each in second] == [1.0, 1.0, 0.0, 0.0]
    assert [first[0].reason, first[2].reason] == [MATCHED, None]
    assert first[0].scorer == "human/vqa"


def test_a_random_sample_leaves_the_others_without_a_value(tmp_path):
    predictions = written_reports(10)
    plan = exported(tmp_path, predictions, "report", 1, scope="random", count=3)
    fill(tmp_path / "rater01.csv", lambda row: "3.0")
    [scores] = import_ratings(tmp_path, plan, predictions)
    assert sorted(str(score.value) for score in scores) == ["3.0"] * 3 + ["None"] * 7
    assert {score.reason for score in scores if score.value is None} == {NOT_RATED}


@pytest.mark.parametrize(
    ("rating", "words"),
    [
        ("", "no rating"),
        ("2", "out of range"),
        ("-1", "out of range"),
        ("0.5", "not a whole number"),
        ("yes", "not a whole number"),
        ("nan", "not a whole number"),
        ("1 or 0", "not a whole number"),
        ("1e9", "out of range"),
    ],
)
def test_ratings_that_are_none(tmp_path, rating, words):
    predictions = mixed()
    plan = exported(tmp_path, predictions, annotators=1)
    fill(tmp_path / "rater01.csv", lambda row: rating)
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    [problem] = caught.value.problems
    assert problem.startswith("rater01.csv, line 2: ") and words in problem


def test_every_problem_of_every_sheet_in_one_report(tmp_path):
    predictions = answers(5)
    plan = exported(tmp_path, predictions, annotators=5, scope="all")

    def edited(lines):
        return [[lines[0][0], lines[0][1], "edited", *lines[0][3:]], *lines[1:]]

    fill(tmp_path / "rater01.csv", change=edited)
    fill(tmp_path / "rater02.csv", change=lambda lines: [*lines, lines[0]])
    fill(tmp_path / "rater03.csv", change=lambda lines: [*lines[1:], ["foreign", "q", "r", "a", "1", ""]])
    fill(tmp_path / "rater04.csv", lambda row: "7")
    (tmp_path / "rater05.csv").unlink()
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    found = "\n".join(caught.value.problems)
    for words in (
        "the reference was edited",
        "stands there 2 times",
        "'foreign' is of another sheet",
        "is gone",
        "the rating 7 is out of range",
        "rater05.xlsx: no such file, nor rater05.csv",
    ):
        assert words in found
    assert len(caught.value.problems) == 10


def test_white_space_that_a_spreadsheet_changes_is_no_edit(tmp_path):
    predictions = answers(1, answer="two  words\r\nand a line")
    plan = exported(tmp_path, predictions, annotators=1)
    fill(tmp_path / "rater01.csv", change=lambda lines: [[*lines[0][:2], "two words and a line ", *lines[0][3:]]])
    assert import_ratings(tmp_path, plan, predictions)[0][0].value == 1.0


def test_empty_ratings_may_be_allowed(tmp_path):
    predictions = answers(2)
    plan = exported(tmp_path, predictions, annotators=1)
    ratings = iter(["", "1"])
    fill(tmp_path / "rater01.csv", lambda row: next(ratings))
    [scores] = import_ratings(tmp_path, plan, predictions, may_be_missing=True)
    assert sorted(str(score.value) for score in scores) == ["1.0", "None"]


def test_two_sheets_of_one_rater_that_contradict_are_a_problem_and_an_empty_one_is_not(tmp_path):
    pytest.importorskip("openpyxl")
    from pefomed_plugin.rubrics import VQA
    from pefomed_plugin.services.rating.workbook import write_workbook

    predictions = mixed()
    plan = exported(tmp_path, predictions, annotators=1)
    write_workbook(tmp_path / "rater01.xlsx", read_sheet(tmp_path / "rater01.csv"), VQA)
    fill(tmp_path / "rater01.csv")
    assert import_ratings(tmp_path, plan, predictions)[0][2].value == 1.0
    import openpyxl

    book = openpyxl.load_workbook(tmp_path / "rater01.xlsx")
    [rating] = [cell for cell in book["Ratings"][1] if cell.value == "rating"]
    book["Ratings"].cell(2, rating.column, 0)
    book.save(tmp_path / "rater01.xlsx")
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    assert caught.value.problems == (
        "rater01 answered an item twice and differently: rater01.xlsx, line 2: 0, and rater01.csv, line 2: 1; leave "
        "the one that counts",
    )


def test_sheets_of_other_predictions_are_refused(tmp_path):
    plan = exported(tmp_path, answers(3))
    assert read_plan(tmp_path, answers(3)) == plan
    for others in (answers(2), answers(3, prediction="another")):
        with pytest.raises(DataError, match="made for other predictions"):
            read_plan(tmp_path, others)
    (tmp_path / "ratings.json").write_text('{"schema": 1, "kind": "vqa"}')
    with pytest.raises(DataError, match="not a plan"):
        read_plan(tmp_path, answers(3))


def test_nothing_to_rate_is_said():
    with pytest.raises(ConfigError, match="nothing to rate"):
        make_plan(answers(2, prediction="yes"), VQA, 1)
    with pytest.raises(ConfigError, match="at least 1"):
        make_plan(answers(2), VQA, 0)


TEXTS = ["1/2", "5.0", "10:1", "3-4", "1e5", "007", "May 5", "50 %", "=1+1", "plain words"]


def through_a_spreadsheet(path, rate=lambda: "1"):
    """Open and save a CSV as a spreadsheet program does: what looks like a number becomes one, the apostrophe stays."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        header, *lines = list(csv.reader(file))
    changed = []
    for line in lines:
        cells = [f"{float(cell):.6G}" if cell.replace(".", "").isdigit() else cell for cell in line]
        assert not any(cell[:1].isdigit() for cell in cells[1:4]), cells
        cells[4] = rate()
        changed.append(cells)
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows([header, *changed])


def test_texts_and_codes_that_a_spreadsheet_takes_for_numbers(tmp_path):
    predictions = [answer for text in TEXTS for answer in answers(1, id=f"a {text}", answer=text, prediction=text)]
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    through_a_spreadsheet(tmp_path / "rater01.csv")
    [scores] = import_ratings(tmp_path, plan, predictions)
    assert {score.value for score in scores} == {1.0}


def test_a_code_that_became_a_number_in_an_older_sheet_is_recognised():
    codes = dict.fromkeys(["1234567890", "12345e6789", "12e3456789", "ab12345678"])
    for cell, code in (("1.23456789E+09", "1234567890"), ("1234567890.0", "1234567890"), ("ab12345678", "ab12345678")):
        assert _code_of(cell, codes) == code
    assert _code_of("7", codes) == "7"


def test_a_renamed_file_is_recognised_by_its_codes(tmp_path):
    predictions = answers(3)
    plan = exported(tmp_path, predictions, scope="all")
    for rater in plan.raters:
        fill(tmp_path / f"{rater}.csv")
    (tmp_path / "rater02.csv").rename(tmp_path / "Dr. Boris, done.csv")
    assert [len(scores) for scores in import_ratings(tmp_path, plan, predictions)] == [3, 3]


def test_a_filled_copy_beside_an_empty_sheet_counts_and_what_is_nobodys_is_named(tmp_path, capsys):
    predictions = answers(3)
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    copy = tmp_path / "rater01 (1).csv"
    copy.write_bytes((tmp_path / "rater01.csv").read_bytes())
    fill(copy)
    exported(tmp_path / "other", predictions, scope="all", annotators=1, seed=5)
    (tmp_path / "other" / "rater01.csv").rename(tmp_path / "others.csv")
    (tmp_path / "~$rater01.xlsx").write_bytes(b"of a spreadsheet that is open")
    assert [score.value for score in import_ratings(tmp_path, plan, predictions)[0]] == [1.0] * 3
    assert "others.csv: not read, it holds no item of this export" in capsys.readouterr().err
    fill(tmp_path / "rater01.csv")
    assert [score.value for score in import_ratings(tmp_path, plan, predictions)[0]] == [1.0] * 3  # twice the same
    (tmp_path / "rater01.csv").write_bytes(b"\xff")
    copy.unlink()
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    [problem] = caught.value.problems
    assert "rater01.csv" in problem and "save it as CSV UTF-8" in problem


@pytest.mark.parametrize("saved", ["line_x000D_end", "line\rend", "line_x005F_x000D_end", "line\nend"])
def test_escapes_that_an_office_program_writes_are_no_edit(tmp_path, saved):
    predictions = answers(1, answer="line_x000D_end")
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    fill(tmp_path / "rater01.csv", change=lambda lines: [[*line[:2], saved, *line[3:]] for line in lines])
    assert import_ratings(tmp_path, plan, predictions)[0][0].value == 1.0


def test_a_sheet_saved_in_a_format_that_is_not_read_is_a_problem_and_endings_may_be_large(tmp_path, capsys):
    predictions = answers(3)
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    fill(tmp_path / "rater01.csv")
    (tmp_path / "rater01.csv").rename(tmp_path / "rater01.CSV")
    for name in ("letter", "rater011"):
        (tmp_path / f"{name}.ods").write_bytes(b"")
    assert [score.value for score in import_ratings(tmp_path, plan, predictions)[0]] == [1.0] * 3
    said = capsys.readouterr().err
    assert "letter.ods: not read" in said and "rater011.ods: not read" in said
    (tmp_path / "Rater01 (1).ods").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    assert list(caught.value.problems) == ["Rater01 (1).ods: not read; save it as XLSX or CSV (UTF-8), or move it away"]


def test_what_a_rater_added_is_named_and_a_column_that_stands_there_twice_is_refused(tmp_path, capsys):
    predictions = answers(2)
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    path = tmp_path / "rater01.csv"
    fill(path, change=lambda lines: [[*line, "", "a thought", "", "1"] for line in lines])
    path.write_text(path.read_text("utf-8-sig").replace("rubric", "rubric,my notes", 1), "utf-8")
    assert [score.value for score in import_ratings(tmp_path, plan, predictions)[0]] == [1.0] * 2
    assert "rater01.csv: not read: the column(s) my notes; number 10, without a name" in capsys.readouterr().err
    path.write_text(path.read_text().replace("my notes", "rating", 1))
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    assert "has the column(s) rating twice" in caught.value.problems[0]


def test_words_below_the_table_are_a_problem_with_their_line(tmp_path):
    predictions = answers(2)
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    fill(tmp_path / "rater01.csv", change=lambda lines: [*lines, ["", "", "", "", "", "thanks"]])
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    [problem] = caught.value.problems
    assert problem.startswith("rater01.csv, line 4: no item stands there")


def test_rows_without_a_rating_are_named_in_the_order_of_the_sheet(tmp_path):
    predictions = answers(8)
    plan = exported(tmp_path, predictions, scope="all", annotators=1)
    with pytest.raises(DataError) as caught:
        import_ratings(tmp_path, plan, predictions)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        f"rater01.csv, line {line}" for line in range(2, 10)
    ]
