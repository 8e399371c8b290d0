"""Sheets there and back: every kind of text survives, in XLSX and in CSV."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.services.rating.plan import visible
from pefomed_plugin.services.rating.sheets import SheetRow, read_sheet, write_csv
from pefomed_plugin.services.rating.workbook import write_workbook

openpyxl = pytest.importorskip("openpyxl")
TEXTS = [
    "plain",
    "=1+1",
    '=HYPERLINK("x")',
    "+3 cm",
    "-2",
    "@home",
    "'quoted'",
    "'=5",
    "line\nbreak",
    "tab\tstop",
    'comma, "quote"; semicolon',
    "bell\x07 and \x1f",
    "x" * 100_000,
    "Gr\u00fc\u00dfe \u2265 5",
    "007",
    "1e5",
    "TRUE",
    "half a pair \ud83d",
    "cr\r\nlf",
    "cr\ralone",
    "\x0b",
    "_x0007_",
]


def rows():
    return [SheetRow(f"code{number}", visible(text), visible(text), visible(text)) for number, text in enumerate(TEXTS)]


@pytest.mark.parametrize("suffix", [".xlsx", ".csv"])
def test_every_text_survives_the_round_trip(tmp_path, suffix):
    path = tmp_path / ("rater" + suffix)
    if suffix == ".csv":
        write_csv(path, rows())
    else:
        write_workbook(path, rows(), REPORT)
    for before, after in zip(rows(), read_sheet(path)):
        assert (after.item, after.rating) == (before.item, None if suffix == ".xlsx" else "")
        assert after.texts == before.texts
    assert len(read_sheet(path)) == len(TEXTS)


def test_a_formula_is_a_text_in_the_workbook(tmp_path):
    write_workbook(tmp_path / "a.xlsx", rows(), VQA)
    cell = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]["C3"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == ("=1+1", "s", True)


def column(sheet, name):
    """Letter of a column."""
    return next(cell.column_letter for cell in sheet[1] if cell.value == name)


def test_a_spreadsheet_program_may_save_it_again(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, rows(), VQA)
    book = openpyxl.load_workbook(path)
    book["Ratings"][column(book["Ratings"], "rating") + "2"] = 1
    book.save(path)
    found = read_sheet(path)
    assert [each.texts for each in found] == [row.texts for row in rows()]
    assert (found[0].rating, found[0].place) == (1, "a.xlsx, line 2")


def test_it_opens_with_instructions_and_offers_the_scale(tmp_path):
    write_workbook(tmp_path / "a.xlsx", rows()[:2], REPORT, about=["For anna: 2 items."])
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Instructions", "Ratings"] and book.active.title == "Instructions"
    words = [cell.value for cell in book["Instructions"]["A"] if cell.value]
    assert "For anna: 2 items." in words and f"4: {REPORT.levels[4].description}" in words
    assert any(word.startswith("cannot judge: ") for word in words)
    sheet = book["Ratings"]
    [choices] = sheet.data_validations.dataValidation
    letter = column(sheet, "rating")
    assert (choices.formula1, str(choices.sqref)) == ('"0,1,2,3,4,cannot judge"', f"{letter}2:{letter}3")


def test_cells_but_rating_and_comment_are_locked_and_heads_stay_in_sight(tmp_path):
    texts = SheetRow("item", "Is it seen?", "short", "a longer answer of many words " * 20)
    write_workbook(tmp_path / "a.xlsx", [texts], VQA)
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    free = {cell.value for cell in sheet[1] if not sheet.cell(2, cell.column).protection.locked}
    assert sheet.protection.sheet and free == {"rating", "comment"} and sheet.freeze_panes == "B2"
    assert all(sheet.cell(2, cell.column).alignment.wrap_text for cell in sheet[1])
    widths = {cell.value: sheet.column_dimensions[cell.column_letter].width for cell in sheet[1]}
    assert widths["answer"] >= 40 and widths["rating"] >= 12  # "cannot judge" fits
    assert 15 * 600 / widths["answer"] * 0.9 < sheet.row_dimensions[2].height <= 409
    assert sheet.column_dimensions[column(sheet, "rubric")].hidden


def test_two_answers_stand_side_by_side(tmp_path):
    row = SheetRow("item", "q", "r", "one", "tie", "words", "tag", second="other")
    for name in ("a.csv", "a.xlsx"):
        if name == "a.csv":
            write_csv(tmp_path / name, [row], True)
        else:
            write_workbook(tmp_path / name, [row], VQA, is_side_by_side=True)
        [found] = read_sheet(tmp_path / name)
        assert (found.answer, found.second, found.rating, found.comment) == ("one", "other", "tie", "words")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    assert sheet.data_validations.dataValidation[0].formula1 == '"A,B,tie,cannot judge"'


def test_images_stand_left_of_the_answer(tmp_path):
    image = pytest.importorskip("PIL.Image")
    write_workbook(tmp_path / "a.xlsx", rows()[:2], VQA, {"code0": [("", image.new("RGB", (640, 320)))]})
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    [opened] = sheet._images
    assert (opened.width, opened.height) == (320, 160)
    assert [cell.value for cell in sheet[1]][3:5] == ["image", "answer"] and opened.anchor._from.col == 3
    assert sheet.row_dimensions[2].height >= 120


def test_every_image_of_a_study_has_its_name_below_it(tmp_path):
    image = pytest.importorskip("PIL.Image")
    views = [("frontal", image.new("RGB", (640, 320))), ("lateral", image.new("RGB", (320, 320)))]
    write_workbook(tmp_path / "a.xlsx", rows()[:2], VQA, {"code0": views, "code1": views[:1]})
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    assert [(opened.anchor._from.row, opened.anchor._from.col) for opened in sheet._images] == [(1, 3), (1, 4), (2, 3)]
    assert [sheet[cell].value for cell in ("D1", "E1", "F1", "D2", "E2", "D3", "E3")] == [
        "image 1",
        "image 2",
        "answer",
        "frontal",
        "lateral",
        "frontal",
        None,
    ]
    assert [row.texts for row in read_sheet(tmp_path / "a.xlsx")] == [row.texts for row in rows()[:2]]


def test_a_sheet_of_the_layout_before_is_read(tmp_path):
    book = openpyxl.Workbook()
    book.active.title = "Ratings"
    book.active.append(["item", "question", "reference", "answer", "rating", "comment", "rubric"])
    book.active.append(["code", "q", "r", "a", 1, "words", "vqa-1"])
    book.save(tmp_path / "a.xlsx")
    [found] = read_sheet(tmp_path / "a.xlsx")
    assert (found.item, found.answer, found.rating, found.comment, found.rubric) == ("code", "a", 1, "words", "vqa-1")


def test_csv_as_other_countries_save_it(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, rows()[:1])
    text = path.read_text(encoding="utf-8-sig")
    for delimiter in (";", "\t"):
        path.write_text(text.replace(",", delimiter), encoding="utf-8")
        assert read_sheet(path)[0].question == "plain"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b"no zip"),
        lambda path: path.write_bytes(b""),
        lambda path: path.unlink(),
        lambda path: renamed(path, "C1", "other"),
        lambda path: renamed(path, "", ""),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, damage):
    path = tmp_path / "a.xlsx"
    write_workbook(path, rows()[:2], VQA)
    damage(path)
    with pytest.raises(DataError, match=r"a\.xlsx"):
        read_sheet(path)


def renamed(path, cell, value):
    book = openpyxl.load_workbook(path)
    if cell:
        book["Ratings"][cell] = value
    else:
        book["Ratings"].title = "Mine"
    book.save(path)


def test_an_answer_longer_than_pythons_field_limit_reads_back(tmp_path):
    row = SheetRow("item", "q", "r", "long " * 40_000)
    write_csv(tmp_path / "a.csv", [row])
    assert read_sheet(tmp_path / "a.csv")[0].texts == row.texts


def test_notes_on_cells_are_named_and_merged_cells_refused(tmp_path, capsys):
    """A note is no part of its cell, and of merged cells one row alone has the rating."""
    path = tmp_path / "rater01.xlsx"
    write_workbook(path, [SheetRow(str(number), "", "normal", "normal", 4) for number in range(3)], REPORT)
    book = openpyxl.load_workbook(path)
    sheet = book["Ratings"]
    sheet["E3"].comment = openpyxl.comments.Comment("unsure", "me")
    book.save(path)
    assert len(read_sheet(path)) == 3
    assert "notes on the cells E3. What is to be kept" in capsys.readouterr().err
    sheet.merge_cells("E2:E4")
    book.save(path)
    with pytest.raises(DataError, match=r"merged cells \(E2:E4\).*unmerge them"):
        read_sheet(path)
