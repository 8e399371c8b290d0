"""Cells of spreadsheets: what is hidden, merged, reckoned or changed on the way is said or refused."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.own_data.own_tables import read_tables
from pefomed_plugin.services.own_data.splitting import read_shares
from pefomed_plugin.services.own_data.tables import Manner, read_table

from .files import wishes, write_book, write_images, write_table


def test_texts_that_may_not_be_meant_as_they_stand_are_counted(tmp_path: Path) -> None:
    write_images(tmp_path / "bilder", "a.png", "b.png", "c.png")
    source = write_table(
        tmp_path / "t.csv", "image;report", "a.png;<b>Herz</b> gro&szlig;", "b.png;n/a", "c.png;Herz <5 cm & gut"
    )
    notes = read_tables(source, wishes(shares=read_shares("test"))).release.notes
    assert [what.partition(",")[0] for what in notes] == [
        "text(s) with HTML in them",
        "text(s) that say nothing (such as n/a or -)",
    ]
    rows = ["a.png;q;Ja;", "a.png;q;non;", "b.png;q;true;CLOSED", "c.png;q;yes;", "c.png;q;nein, links;"]
    write_table(source, "image;question;answer;answer_type", *rows)
    notes = read_tables(source, wishes(shares=read_shares("test"))).release.notes
    assert {what.partition(",")[0]: count for what, count in notes.items()} == {"answer(s) such as ja": 2}


def test_cells_that_keep_a_spreadsheet_from_taking_them_for_numbers(tmp_path: Path) -> None:
    path = write_table(tmp_path / "t.csv", "image;patient;report", '="a.png";="0012";="x" and "y"')
    table = read_table(path, Manner())
    assert list(table.rows[0][1].values()) == ["a.png", "0012", '="x" and "y"']
    assert '2 cell(s) such as ="0012" read as the text within' in table.said[0]


def test_what_a_spreadsheet_did_to_cells_before_they_became_text(tmp_path: Path) -> None:
    """A report that begins with a hyphen becomes #NAME?, a long accession number 1,23457E+11: of many the same."""
    path = write_table(
        tmp_path / "t.csv",
        "image;accession;report;note",
        "a.png;1,23457E+11;#NAME?;#NV",
        "b.png;A1;# 1: Clear, 1.5E+03 cells;x",
        "c.png;####;Large.;x",
    )
    table = read_table(path, Manner())
    assert [problem.partition(";")[0] for problem in table.problems_in(["image", "accession", "report"])] == [
        "t.csv, line 2: a number that a spreadsheet shortened",
        "t.csv, line 2: the error #NAME? of a spreadsheet in a cell",
        "t.csv, line 4: the error #### of a spreadsheet in a cell",
    ]
    assert table.problems_in(["image"]) == []
    import openpyxl

    book = write_book(tmp_path / "t.xlsx", ["image", "report"], ["a.png", "#N/A"], ["b.png", "#NAME?"])
    opened = openpyxl.load_workbook(book)
    opened.active["B3"].data_type = "s"
    opened.save(book)
    told = read_table(book, Manner()).problems_in(["report"])
    assert [problem.partition(" in a cell")[0] for problem in told] == [
        "t.xlsx, row 2: the error #N/A",
        "t.xlsx, row 3: the error #NAME? of a spreadsheet",
    ]


def test_a_sheet_as_a_person_sees_it(tmp_path: Path) -> None:
    path = write_book(
        tmp_path / "b.xlsx",
        ["Bild", "Befund", "PatID", "Datum", "Zahl", None],
        ["a.png", "=Lunge frei", 7, datetime.datetime(2024, 3, 5), 12.0, None],
        [None, None, None, None, None, None],
        ["b.png", "Zeile 1\nZeile 2", "007", datetime.datetime(2024, 3, 5, 8, 30), 1.5, None],
        formats={"C2": "00000"},
        others=["Notizen"],
    )
    with pytest.raises(ConfigError, match="2 sheets hold something; choose one with --sheet: Befunde, Notizen"):
        read_table(path, Manner())
    with pytest.raises(ConfigError, match="did you mean 'Befunde'"):
        read_table(path, Manner(sheet="Befund"))
    table = read_table(path, Manner(sheet="1"))
    assert table.header == ["Bild", "Befund", "PatID", "Datum", "Zahl"]
    assert [list(row.values())[2:] for _, row in table.rows] == [
        ["00007", "2024-03-05", "12"],
        ["007", "2024-03-05T08:30:00", "1.5"],
    ]
    assert table.rows[1][0] == "b.xlsx, row 4" and table.rows[1][1]["Befund"] == "Zeile 1\nZeile 2"
    assert "sheet 'Befunde' of 2" in table.said[0] and "2 date(s) written as year-month-day" in table.said[0]
    assert table.problems_in(["Bild", "PatID"]) == []
    assert table.problems_in(["Befund"]) == [
        "b.xlsx, row 2: a formula whose value the file does not keep; open and save it in a "
        "spreadsheet program, or put the value there"
    ]
    book = write_book(tmp_path / "c.xlsx", ["Bild", "Befund", "PatID"], ["a.png", "gut", 12345678901234567890])
    assert "more than 15 digits" in read_table(book, Manner()).faulty_cells[0][1]


def test_what_merged_cells_hide_is_named_where_it_matters(tmp_path: Path) -> None:
    import openpyxl

    rows = [["Export"], ["Bild", "Befund", "PatID", "Datum"], *([f"{row}.png", "gut", row, 1] for row in range(4))]
    path = write_book(tmp_path / "b.xlsx", *rows[1:])
    book = openpyxl.load_workbook(path)
    for cells in ("C2:C3", "A5:B5", "D2:D5"):
        book.active.merge_cells(cells)
    book.save(path)
    table = read_table(path, Manner())
    hidden = "are merged, and the value is the first cell's alone; unmerge them, and fill each"
    assert table.problems_in(["Bild", "Befund", "PatID"]) == [
        f"b.xlsx, row 2: C2:C3 {hidden}",
        f"b.xlsx, row 5: A5:B5 {hidden}",
    ]
    assert table.problems_in(["Bild"]) == []


def test_what_a_person_does_not_see_or_sees_otherwise_is_said(tmp_path: Path) -> None:
    import openpyxl

    rows = [[f"{row}.png", row, 0.5, "x" * 32767] for row in range(3)]
    path = write_book(
        tmp_path / "b.xlsx",
        ["Bild", "PatID", "Anteil", "Befund"],
        *rows,
        formats={"B2": '"PAT-"0000', "B3": "000-00", "B4": "0.00", "C2": "0%", "C3": "General"},
    )
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[3].hidden = book.active.column_dimensions["C"].hidden = True
    book.save(path)
    table = read_table(path, Manner())
    assert [row["PatID"] for _, row in table.rows] == ["PAT-0000", "000-01", "2"]
    for said in (
        "2 number(s) with the leading zeros and texts that their format shows",
        "1 number(s) read without what their format shows (as 50% for 0.5)",
        "3 text(s) of 32,767 characters, where spreadsheets cut them",
        "1 hidden row(s) are read like the others",
        "hidden column(s) are read like the others: Anteil",
    ):
        assert said in table.said[0], said
    book.active.sheet_state = "hidden"
    book.create_sheet("leer")
    book.save(path)
    assert "sheet 'Befunde' (hidden) of 2" in read_table(path, Manner()).said[0]
    book["Befunde"].cell(2, 250).value = "far away"
    book.save(path)
    with pytest.raises(DataError, match="column IP holds something, and no more than 200 columns are read"):
        read_table(path, Manner())


def test_what_is_no_workbook_whatever_its_ending(tmp_path: Path) -> None:
    path = tmp_path / "b.xlsx"
    for content, said in (
        (b"image;report\n", "if it is text, call it .csv"),
        (b"\xd0\xcf\x11\xe0rest", "with a password"),
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match=said):
            read_table(path, Manner())
