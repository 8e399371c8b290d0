"""Tables of VLMEvalKit: what a spreadsheet makes of answers is undone, counted or refused."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.results_in import Answer
from pefomed_plugin.services.results_in.tables import read_vlmevalkit

from .rows import QUESTIONS, imported
from .test_formats import SAMPLES, TEXTS, texts


def test_vlmevalkit_in_its_three_forms(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    header = ["index", "question", "answer", "prediction"]
    rows = [[number, each.question, each.answer, text] for number, (each, text) in enumerate(zip(SAMPLES, TEXTS))]
    book = openpyxl.Workbook()
    for row in [header, *rows]:
        book.active.append(row)
    book.save(tmp_path / "model_data.xlsx")
    (tmp_path / "model_data.tsv").write_text("".join("\t".join(map(str, row)) + "\n" for row in [header, *rows]))
    (tmp_path / "model_data.json").write_text(json.dumps([dict(zip(header, row)) for row in rows]))
    for ending in ("xlsx", "tsv", "json"):
        assert texts(read_vlmevalkit(tmp_path / ("model_data." + ending))) == TEXTS
    with pytest.raises(ConfigError, match="VLMEvalKit writes"):
        read_vlmevalkit(tmp_path / "model_data.pkl")
    (tmp_path / "broken.xlsx").write_text("no spreadsheet")
    with pytest.raises(DataError, match="no .xlsx, whatever its ending says"):
        read_vlmevalkit(tmp_path / "broken.xlsx")


def test_an_empty_cell_is_a_missing_prediction(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    path.write_text('[{"question": "q", "answer": 3.0, "prediction": NaN}]')
    assert read_vlmevalkit(path) == [Answer("table.json, row 1", None, None, "q", None, "3")]


def test_escapes_of_a_spreadsheet_are_characters(own: Path, tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "predic_x0074_ion"])
    book.active.append([0, QUESTIONS[0][2], "yes", "yes_x000D_\n_x005F_x000D_ _xd83d__xDE00__xD83D_"])
    book.active.append([1, QUESTIONS[1][2], "triangle", "_x0009_x000_"])
    book.save(tmp_path / "model.xlsx")
    assert imported(own, "vlmevalkit", tmp_path / "model.xlsx") == [
        "yes\r\n_x000D_ \U0001f600\ufffd",
        "\tx000_",
    ]


def test_a_date_that_a_spreadsheet_made_is_refused(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["index", "question", "answer", "prediction"])
    book.active.append([0, "Which part?", "1/2", datetime(2026, 2, 1)])
    book.save(tmp_path / "model.xlsx")
    with pytest.raises(DataError, match="has turned prediction into a date"):
        read_vlmevalkit(tmp_path / "model.xlsx")


def test_a_second_sheet_is_named(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["index", "question", "answer", "prediction"], [0, "q", "yes", "yes"]):
        book.active.append(row)
    book.create_sheet("Empty")
    book.save(tmp_path / "model.xlsx")
    assert len(read_vlmevalkit(tmp_path / "model.xlsx")) == 1
    book.create_sheet("Other model").append(["index"])
    book.save(tmp_path / "model.xlsx")
    with pytest.raises(DataError, match="one sheet, and Other model holds something, too"):
        read_vlmevalkit(tmp_path / "model.xlsx")


def test_half_a_character_in_a_spreadsheet_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["index", "question", "answer", "prediction"], [0, "q", "yes", "yes _xD83D_"], [1, "q", "no", "no"]):
        book.active.append(row)
    book.save(tmp_path / "model.xlsx")
    assert [answer.text for answer in read_vlmevalkit(tmp_path / "model.xlsx")] == ["yes \ufffd", "no"]
    assert "model.xlsx: 1 records hold half a character" in capsys.readouterr().err
