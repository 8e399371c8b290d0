"""Text files of every kind: where something stands, and the same file cleaned."""

from __future__ import annotations

import csv
import json

import pytest

from pefomed_plugin.services.privacy.said import NoText
from pefomed_plugin.services.privacy.text_files import visit_file


def seen(path, out=None):
    """(text, place, field) of every text."""
    texts = []

    def visit(text, place, name):
        texts.append((text, place, name))
        return text.replace("Hans", "[NAME]")

    kind = visit_file(path, visit, out)
    return kind, texts


def test_lines_of_a_text_in_its_own_encoding(tmp_path):
    (tmp_path / "a.txt").write_bytes("Größe\r\nHans\r\n".encode("latin-1"))
    kind, texts = seen(tmp_path / "a.txt", tmp_path / "b.txt")
    assert kind == "text" and texts[1] == ("Hans\r\n", "line 2", "")
    assert (tmp_path / "b.txt").read_bytes() == "Größe\r\n[NAME]\r\n".encode("latin-1")


def test_json_lines_with_keys_and_numbers(tmp_path):
    row = {
        "schema": 1,
        "written_at": "2026-01-01T00:00:00+00:00",
        "patient_id": 4711234,
        "a": [{"text": "Hans"}],
        "n": 12345678,
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n\n")
    kind, texts = seen(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert kind == "JSON"
    assert texts == [("4711234", "line 1, patient_id", "patient_id"), ("Hans", "line 1, a[0].text", "text")]
    assert json.loads((tmp_path / "b.jsonl").read_text().strip()) == {**row, "a": [{"text": "[NAME]"}]}


def test_persons_with_one_placeholder_stay_two_entries(tmp_path):
    """Keys that are names: neither hides the other."""
    (tmp_path / "a.json").write_text(json.dumps({"Hans A": 1, "Hans B": {"x": 2}, "[NAME] 2": 3}))

    def visit(text, place, name):
        return "[NAME]" if "Hans" in text else text

    visit_file(tmp_path / "a.json", visit, tmp_path / "b.json")
    assert json.loads((tmp_path / "b.json").read_text()) == {"[NAME]": 1, "[NAME] 3": {"x": 2}, "[NAME] 2": 3}


def test_what_is_not_changed_stays_as_it_is_written(tmp_path):
    table = 'a;"b;c"\r\n"1" ;"x ""y"""\r\n2;Hans\r\n3.10;"q"\n'
    (tmp_path / "a.csv").write_bytes(table.encode())
    seen(tmp_path / "a.csv", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes() == table.replace("Hans", "[NAME]").encode()
    lines = '{"a":1.10}\n{"a": "Hans \\u00fc"}\n{damaged "Hans"\n{"b" : "x"}'
    (tmp_path / "a.jsonl").write_text(lines)
    kind, texts = seen(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert kind == "JSON" and ('{damaged "Hans"\n', "line 3", "") in texts
    assert (tmp_path / "b.jsonl").read_text() == lines.replace("Hans", "[NAME]")


def test_only_moments_are_ours_where_a_file_says_when_it_was_written(tmp_path):
    (tmp_path / "a.json").write_text('{"schema": 1, "time": "of Hans", "at": "2026-01-01T00:00:00+00:00"}')
    assert [text for text, _, _ in seen(tmp_path / "a.json")[1]] == ["of Hans"]


@pytest.mark.parametrize("encoding", ["utf-32", "cp850"])
def test_encodings_that_look_like_another(tmp_path, encoding):
    """UTF-32 begins as UTF-16 does, and umlauts of DOS are quotes of Windows."""
    (tmp_path / "a.txt").write_bytes("Hans Müller, Jäger\n".encode(encoding))
    _, texts = seen(tmp_path / "a.txt", tmp_path / "b.txt")
    assert texts[0][0] == "Hans Müller, Jäger\n"
    assert (tmp_path / "b.txt").read_bytes().decode(encoding) == "[NAME] Müller, Jäger\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "cp1252"])
def test_texts_of_windows(tmp_path, encoding):
    (tmp_path / "a.txt").write_bytes("Patient: O’Brien, Größe\r\nHans\r\n".encode(encoding))
    _, texts = seen(tmp_path / "a.txt", tmp_path / "b.txt")
    assert texts[0][0] == "Patient: O’Brien, Größe\r\n"
    assert (tmp_path / "b.txt").read_bytes() == (tmp_path / "a.txt").read_bytes().replace(
        "Hans".encode(encoding), "[NAME]".encode(encoding)
    )


def test_made_up_numbers_of_mimic_are_known_where_both_stand(tmp_path):
    (tmp_path / "a.csv").write_text("subject_id,study_id\n19000210,50414267\n")
    assert [text for text, _, _ in seen(tmp_path / "a.csv")[1]][2:] == ["p19000210", "s50414267"]
    record = {"metadata": {"subject": "19000210", "study": "50414267"}, "subject": "19000211"}
    (tmp_path / "a.jsonl").write_text(json.dumps(record) + "\n")
    assert [text for text, _, _ in seen(tmp_path / "a.jsonl")[1]] == ["p19000210", "s50414267", "19000211"]
    seen(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"patient": {"first": "hans"}}, "patient_first"),
        ({"name": [{"family": "mueller", "given": ["hans"]}]}, "name_family"),
        ({"model": {"family": "llama"}}, "family"),
    ],
)
def test_fields_within_fields(tmp_path, value, field):
    (tmp_path / "a.json").write_text(json.dumps(value))
    assert seen(tmp_path / "a.json")[1][0][2] == field


def test_damaged_json_is_read_line_by_line(tmp_path):
    (tmp_path / "a.json").write_text('{"text": "Hans"')
    assert seen(tmp_path / "a.json") == ("text", [('{"text": "Hans"', "line 1", "")])


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_with_any_delimiter(tmp_path, delimiter):
    path, out = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text(delimiter.join(["subject", "name"]) + "\n" + delimiter.join(["1", '"Hans, M"']) + "\n")
    kind, texts = seen(path, out)
    assert kind == "table" and texts[-1] == ("Hans, M", "line 2, name", "name")
    assert list(csv.reader(out.open(), delimiter=delimiter))[1] == ["1", "[NAME], M"]


def test_spreadsheets_with_cells_and_without_the_authors_name(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["name", "size"])
    book.active.append(["Hans", 12])
    book.properties.creator = "Hans Meier"
    book.save(tmp_path / "a.xlsx")
    kind, texts = seen(tmp_path / "a.xlsx")
    assert kind == "spreadsheet" and ("Hans", "Sheet!A2", "name") in texts
    assert ("Hans Meier", "properties, creator", "person name") in texts
    seen(tmp_path / "a.xlsx", tmp_path / "b.xlsx")
    copy = openpyxl.load_workbook(tmp_path / "b.xlsx")
    assert [[cell.value for cell in row] for row in copy.active] == [["name", "size"], ["[NAME]", 12]]
    assert copy.properties.creator != "Hans Meier"


def test_bytes_are_no_text(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\0\1\2")
    with pytest.raises(NoText):
        seen(tmp_path / "a.bin")


def test_a_lone_carriage_return_stays_within_its_cell(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'id,report\n1,"Hans\rno fracture"\n2,fine\n')
    seen(tmp_path / "a.csv", tmp_path / "b.csv")
    with open(tmp_path / "b.csv", newline="") as file:
        assert list(csv.reader(file, strict=True)) == [["id", "report"], ["1", "[NAME]\rno fracture"], ["2", "fine"]]
