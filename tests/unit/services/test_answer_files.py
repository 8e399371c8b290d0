"""Answers as tables for people: which file is meant, what a spreadsheet must not take for something else."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import Prediction
from pefomed_plugin.services.answer_files import lines_of, write_answer_table
from pefomed_plugin.services.images.image_folder import make_samples


def answers(*texts: str, **producer: Any) -> list[Prediction]:
    samples = make_samples([f"{number}.png" for number in range(len(texts))], "vqa", "=Is it big?")
    return [Prediction.of(sample, text, producer) for sample, text in zip(samples, texts)]


def test_the_ending_says_what_is_written(tmp_path: Path) -> None:
    assert lines_of(tmp_path / "a.jsonl") == tmp_path / "a.jsonl"
    assert lines_of(tmp_path / "a.csv") == lines_of(tmp_path / "a.XLSX") == tmp_path / "a.jsonl"
    assert lines_of(tmp_path / "folder") is None
    (tmp_path / "run.2").mkdir()
    assert lines_of(tmp_path / "run.2") is None
    with pytest.raises(ConfigError, match=r"did you mean '\.xlsx'"):
        lines_of(tmp_path / "a.xls")


def test_csv_is_read_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    assert write_answer_table(path, answers('a, "b"\nc', "-1", "Röntgen", confidence=0.123456)) == 0
    assert path.read_bytes().startswith(b"\xef\xbb\xbfid,image,task,question,answer,confidence\n")
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["answer"] for row in rows] == ['a, "b"\nc', "'-1", "Röntgen"]
    assert {row["question"] for row in rows} == {"'=Is it big?"} and rows[0]["confidence"] == "0.1235"


def test_xlsx_holds_texts_as_texts_and_says_what_does_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.xlsx"
    assert write_answer_table(path, answers("=1+1", "a\x07b", "x" * 40_000)) == 1
    sheet = openpyxl.load_workbook(path).active
    header, *rows = sheet.iter_rows()
    assert [cell.value for cell in header] == ["id", "image", "task", "question", "answer"]
    said = [row[4] for row in rows]
    assert (said[0].value, said[0].data_type) == ("=1+1", "s")
    assert said[1].value == "a\ufffdb" and len(said[2].value) == 32_767
    assert sheet.freeze_panes == "A2"
