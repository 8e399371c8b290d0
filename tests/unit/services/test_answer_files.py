"""Answers as tables for people: which file is meant, what a spreadsheet must not take for something else."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import Prediction
from pefomed_plugin.services import answer_files
from pefomed_plugin.services.answer_files import lines_of, refuse_out, write_answer_table
from pefomed_plugin.services.images.image_folder import make_samples
from pefomed_plugin.services.spreadsheets import unescaped, unguarded


def answers(*texts: str, **producer: Any) -> list[Prediction]:
    samples = make_samples([f"{number}.png" for number in range(len(texts))], "vqa", "=Is it big?")
    return [Prediction.of(sample, text, producer) for sample, text in zip(samples, texts)]


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "a.jsonl") == tmp_path / "a.jsonl"
    assert lines_of(tmp_path / "a.csv") == lines_of(tmp_path / "a.XLSX") == tmp_path / "a.jsonl"
    assert lines_of(tmp_path / "a.JSONL") == tmp_path / "a.JSONL", "it is not a table beside other lines"
    assert lines_of(tmp_path / "folder") is None
    (tmp_path / "run.2").mkdir()
    assert lines_of(tmp_path / "run.2") is None
    with pytest.raises(ConfigError, match=r"did you mean '\.xlsx'"):
        lines_of(tmp_path / "a.xls")


def test_csv_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_answer_table(path, answers('a, "b"\nc', "-1", "Röntgen", confidence=0.123456)) == (0, 4, None)
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,image,task,question,answer,confidence\n")
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == ['a, "b"\nc', "'-1", "Röntgen"]
    assert {row["question"] for row in rows} == {"'=Is it big?"} and rows[0]["confidence"] == "0.1235"


def test_xlsx_holds_texts_as_texts_and_says_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    texts = ["=1+1", "a\x07b\rc _x000D_", "x" * 40_000, "\x07" * 5_000]
    assert write_answer_table(path, answers(*texts)).cut == 2
    sheet = openpyxl.load_workbook(path).active
    header, *rows = sheet.iter_rows()
    assert [cell.value for cell in header] == ["id", "image", "task", "question", "answer"]
    said = [row[4] for row in rows]
    assert (said[0].value, said[0].data_type) == ("=1+1", "s")
    assert said[1].value == "a_x0007_b_x000D_c _x005F_x000D_" and unescaped(said[1].value) == texts[1]
    assert len(said[2].value) == 32_767 and set(unescaped(said[3].value)) == {"\x07"}
    assert sheet.freeze_panes == "A2"


HOSTILE = [
    "\uff1d1+1",
    "a;=1+1",
    "a\t=1+1",
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "'a",
    "\ta",
    "a\rb",
    "a\r\nb",
    "\r",
    '"',
    ";",
    "3/4",
    "1e5",
    "\u2028",
    "",
    " ",
]


def test_every_text_comes_back_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_answer_table(path, answers(*HOSTILE))
    with open(path, encoding="utf-8-sig", newline="") as file:
        cells = [row["answer"] for row in csv.DictReader(file, strict=True)]
    assert [unguarded(cell) for cell in cells] == HOSTILE
    assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r", "\uff1d") for cell in cells)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx"])
def test_a_table_that_is_there_is_set_aside_unless_it_is_the_same(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("a user's own")
    assert write_answer_table(path, answers("yes")).aside == tmp_path / f"{name}.1"
    assert (tmp_path / f"{name}.1").read_text() == "a user's own"
    assert write_answer_table(path, answers("yes")).aside is None
    assert write_answer_table(path, answers("no")).aside == tmp_path / f"{name}.2"


def test_what_could_not_be_written_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, out in (("q.csv", "q.csv"), ("q.jsonl", "q.csv"), ("q.jsonl", "q.jsonl")):
        with pytest.raises(ConfigError, match="is read, and would be written over; choose another name"):
            refuse_out(tmp_path / out, 1, (None, tmp_path / name))
    monkeypatch.setattr(answer_files, "MOST_ROWS", 4)
    with pytest.raises(ConfigError, match="a sheet holds 4 rows, and these are 4 answers; write CSV"):
        refuse_out(tmp_path / "a.xlsx", 4)
    refuse_out(tmp_path / "a.xlsx", 3)
    refuse_out(tmp_path / "a.csv", 4)
