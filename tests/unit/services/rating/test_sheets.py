"""Sheets there and back: every kind of text survives, in XLSX and in CSV."""

from __future__ import annotations

import pytest

from pefomed_plugin.errors import DataError
from pefomed_plugin.rubrics import REPORT, VQA
from pefomed_plugin.services.rating.plan import visible
from pefomed_plugin.services.rating.sheets import SheetRow, read_sheet, write_csv, write_workbook

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


def test_a_spreadsheet_program_may_save_it_again(tmp_path):
    path = tmp_path / "a.xlsx"
    write_workbook(path, rows(), VQA)
    book = openpyxl.load_workbook(path)
    book["Ratings"]["E2"] = 1
    book.save(path)
    found = read_sheet(path)
    assert [each.texts for each in found] == [row.texts for row in rows()]
    assert (found[0].rating, found[0].place) == (1, "a.xlsx, line 2")


def test_the_workbook_offers_the_scale_and_the_rubric(tmp_path):
    write_workbook(tmp_path / "a.xlsx", rows()[:2], REPORT)
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["Ratings", "Rubric"]
    [choices] = book["Ratings"].data_validations.dataValidation
    assert (choices.formula1, str(choices.sqref)) == ('"0,1,2,3,4"', "E2:E3")
    assert [row[0] for row in book["Rubric"].iter_rows(min_row=2, values_only=True)] == [4, 3, 2, 1, 0]


def test_thumbnails(tmp_path):
    image = pytest.importorskip("PIL.Image")
    write_workbook(tmp_path / "a.xlsx", rows()[:2], VQA, {"code0": [("", image.new("RGB", (640, 320)))]})
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    [opened] = sheet._images
    assert (opened.width, opened.height) == (160, 80)
    assert (sheet["H1"].value, sheet["H2"].value) == ("image", None)


def test_every_image_of_a_study_has_its_name_below_it(tmp_path):
    image = pytest.importorskip("PIL.Image")
    views = [("frontal", image.new("RGB", (640, 320))), ("lateral", image.new("RGB", (320, 320)))]
    write_workbook(tmp_path / "a.xlsx", rows()[:2], VQA, {"code0": views, "code1": views[:1]})
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx")["Ratings"]
    assert [(opened.anchor._from.row, opened.anchor._from.col, opened.width) for opened in sheet._images] == [
        (1, 7, 160),
        (1, 8, 160),
        (2, 7, 160),
    ]
    assert [sheet[cell].value for cell in ("H1", "I1", "H2", "I2", "H3", "I3")] == [
        "image 1",
        "image 2",
        "frontal",
        "lateral",
        "frontal",
        None,
    ]
    assert [row.texts for row in read_sheet(tmp_path / "a.xlsx")] == [row.texts for row in rows()[:2]]


def test_csv_as_other_countries_save_it(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, rows()[:1])
    path.write_text(path.read_text(encoding="utf-8-sig").replace(",", ";"), encoding="utf-8")
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
