"""Workbooks and databases: whatever a program lets somebody write into them is found, and gone from a copy."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest

from pefomed_plugin.rubrics import built_in_rubric
from pefomed_plugin.services.privacy.burned_in import find_reader
from pefomed_plugin.services.privacy.cleaning import Cleaner
from pefomed_plugin.services.privacy.recognisers import OWN, find_recogniser
from pefomed_plugin.services.privacy.scanning import Looker, scan
from pefomed_plugin.services.privacy.sources import find_sources
from pefomed_plugin.services.rating.store_file import open_store
from pefomed_plugin.services.spreadsheets import opened_workbook, rows_of

openpyxl = pytest.importorskip("openpyxl")
WHO = "Hans Mueller"


def looker():
    return Looker(find_recogniser(OWN), find_reader("none"))


def cleaned(folder, name):
    """What a scan of ``a/name`` finds, what became of it, and the file of the copy."""
    sources, links = find_sources([folder / "a" / name])
    found = scan(sources, links, looker())
    return found, Cleaner(looker(), sources, folder / "b").copy(sources), folder / "b" / name


def comment(book):
    book.active["B2"].comment = openpyxl.comments.Comment(f"asked {WHO}", "Weber")


def link(book):
    book.active["B2"].hyperlink = "mailto:hans.mueller@example.org"


def prompt(book):
    rule = openpyxl.worksheet.datavalidation.DataValidation(type="list", formula1='"a,b"', prompt=f"as {WHO} did")
    book.active.add_data_validation(rule)
    rule.add("B2")


def choice(book):
    rule = openpyxl.worksheet.datavalidation.DataValidation(type="list", formula1=f'"{WHO},nobody"')
    book.active.add_data_validation(rule)
    rule.add("B2")


def defined(book):
    book.defined_names["who"] = openpyxl.workbook.defined_name.DefinedName("who", attr_text=f'"of {WHO}"')


def added(book):
    book.custom_doc_props.append(openpyxl.packaging.custom.StringProperty(name="of", value=WHO))


def hidden(book):
    sheet = book.create_sheet("more")
    sheet.append([f"of {WHO}"])
    sheet.sheet_state = "veryHidden"


HIDDEN = {
    "comment": comment,
    "link": link,
    "prompt": prompt,
    "choice": choice,
    "a name of the book": defined,
    "a property that was added": added,
    "hidden sheet": hidden,
    "a far cell": lambda book: book.active.cell(3, 400, f"of {WHO}"),
    "name of a sheet": lambda book: setattr(book.active, "title", WHO),
    "header": lambda book: setattr(book.active.oddHeader.center, "text", f"of {WHO}"),
    "footer": lambda book: setattr(book.active.firstFooter.left, "text", f"of {WHO}"),
    "creator": lambda book: setattr(book.properties, "creator", "weber"),
    "keywords": lambda book: setattr(book.properties, "keywords", WHO),
    "formula": lambda book: book.active.append([f'="of {WHO}"']),
}


@pytest.mark.parametrize("hide", HIDDEN.values(), ids=HIDDEN)
def test_wherever_a_workbook_may_hold_it_it_is_found_and_gone(tmp_path, hide):
    (tmp_path / "a").mkdir()
    book = openpyxl.Workbook()
    for row in (["finding", "size"], ["no effusion", 12]):
        book.active.append(row)
    book.save(tmp_path / "a" / "x.xlsx")
    found, done, copy = cleaned(tmp_path, "x.xlsx")
    assert found.findings == [] and copy.read_bytes() == (tmp_path / "a" / "x.xlsx").read_bytes()
    hide(book)
    book.save(tmp_path / "a" / "x.xlsx")
    found, done, copy = cleaned(tmp_path, "x.xlsx")
    assert found.findings and done.files == {"cleaned": 1}
    assert scan(find_sources([copy])[0], [], looker()).findings == []
    with opened_workbook(copy) as again:
        assert list(rows_of(again.worksheets[0]))[:2] == [("finding", "size"), ("no effusion", 12)]


def test_what_a_copy_of_a_workbook_would_lose_is_said(tmp_path):
    (tmp_path / "a").mkdir()
    book = openpyxl.Workbook()
    book.active.append([WHO])
    book.save(tmp_path / "a" / "x.xlsm")
    assert "save it as .xlsx" in next(iter(cleaned(tmp_path, "x.xlsm")[1].not_copied))
    (tmp_path / "a" / "y.xlsx").write_bytes(b"PK\3\4 damaged")
    found, done, _ = cleaned(tmp_path, "y.xlsx")
    assert "not a spreadsheet" in found.unread[0] and done.not_copied


def test_values_of_formulas_stay_in_a_copy(tmp_path, monkeypatch):
    """Nobody would compute them again: without them a reader finds empty cells."""
    (tmp_path / "a").mkdir()
    book = openpyxl.Workbook()
    for row in (["name", "sum"], [WHO, "=1+2"]):
        book.active.append(row)
    book.save(tmp_path / "a" / "x.xlsx")
    load = openpyxl.load_workbook

    def computed(path, **options):
        found = load(path, **options)
        if options.get("data_only"):
            found.active["B2"].value = 3
        return found

    monkeypatch.setattr(openpyxl, "load_workbook", computed)
    copy = cleaned(tmp_path, "x.xlsx")[2]
    assert [cell.value for cell in load(copy).active[2]] == ["[NAME]", 3]


def test_ratings_are_looked_at_and_cleaned_and_their_store_is_untouched(tmp_path):
    (tmp_path / "a").mkdir()
    path = tmp_path / "a" / "ratings.sqlite"
    base = open_store(path, built_in_rubric("report"))
    add = "INSERT INTO said (rater, sample_id, round, rating, cannot, comment, origin, at) VALUES (?,?,1,3,0,?,?,?)"
    base.execute(add, ("r1", "s1", f"I know {WHO} " * 9, "page", "2026-01-01T00:00:00+00:00"))
    before = {one.name: one.read_bytes() for one in (tmp_path / "a").iterdir()}
    sources, links = find_sources([tmp_path / "a"])
    found = scan(sources, links, looker())
    assert {(one.kind, one.place.partition(",")[0]) for one in found.findings} == {("name", "said")}
    assert all("part of the database" in reason for reason in found.not_looked_at)
    Cleaner(looker(), sources, tmp_path / "b").copy(sources)
    assert {one.name: one.read_bytes() for one in (tmp_path / "a").iterdir()} == before
    base.close()
    copy = tmp_path / "b" / "ratings.sqlite"
    assert WHO.encode() not in copy.read_bytes()
    with closing(open_store(copy, built_in_rubric("report"))) as again:
        assert again.execute("SELECT rater, rating, comment FROM said").fetchall() == [("r1", 3, "I know [NAME] " * 9)]


def test_a_damaged_database_is_not_read(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.sqlite").write_bytes(b"SQLite format 3\0 damaged")
    found, done, copy = cleaned(tmp_path, "x.sqlite")
    assert "a damaged SQLite file" in found.unread[0] and done.not_copied and not copy.exists()


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    (tmp_path / "a").mkdir()
    rows = [{"patient_id": 4711, "messages": [{"text": f"of {WHO}"}], "image": b"\1\2", "size": 1.5}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a" / "x.parquet")
    found, done, copy = cleaned(tmp_path, "x.parquet")
    assert {one.kind for one in found.findings} == {"id", "name"}
    assert found.findings[-1].place == "row 1, messages[0].text, column 4"
    (row,) = parquet.read_table(copy).to_pylist()
    assert row["patient_id"].startswith("ANON-") and row["messages"] == [{"text": "of [NAME]"}]
    assert (row["image"], row["size"]) == (b"\1\2", 1.5)
    assert "images within parquet" in str(found.notes) and "images within parquet" in done.left[0]
    table = pyarrow.Table.from_pylist([{"a": 1}]).replace_schema_metadata({"of": WHO, "huggingface": '{"a": 1}'})
    parquet.write_table(table, tmp_path / "a" / "x.parquet")
    found, _, copy = cleaned(tmp_path, "x.parquet")
    assert [one.place for one in found.findings] == ["metadata, of, column 1"]
    assert parquet.read_schema(copy).metadata == {b"of": b"[NAME]", b"huggingface": b'{"a": 1}'}
    (tmp_path / "a" / "x.parquet").write_bytes(b"PAR1 damaged")
    assert "a damaged parquet file" in cleaned(tmp_path, "x.parquet")[0].unread[0]


@pytest.mark.parametrize("name", ["page.html", "notebook.ipynb", "table.tsv"])
def test_images_within_texts_are_said_not_to_be_looked_at(tmp_path, name):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / name).write_text('{"png": "iVBORw0KGgo' + "A" * 200 + '"}\n')
    found, done, _ = cleaned(tmp_path, name)
    assert "images within texts" in str(found.notes) and "images within texts" in done.left[0]


@pytest.mark.parametrize(("name", "package"), [("x.xlsx", "openpyxl"), ("x.parquet", "pyarrow"), ("x.dcm", "pydicom")])
def test_what_a_missing_package_would_read_is_no_success(tmp_path, monkeypatch, name, package):
    (tmp_path / "a").mkdir()
    heads = {"openpyxl": b"PK", "pyarrow": b"PAR1", "pydicom": b"\0" * 128 + b"DICM"}
    (tmp_path / "a" / name).write_bytes(heads[package])
    monkeypatch.setitem(sys.modules, package, None)
    assert package in cleaned(tmp_path, name)[0].unread[0]


def test_a_text_that_is_too_large_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr("pefomed_plugin.services.privacy.text_files.MOST_BYTES", 10)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text(f"Patient: {WHO}\n")
    (tmp_path / "a" / "x.pth").write_bytes(b"\0" * 99)
    found, done, _ = cleaned(tmp_path, "x.txt")
    assert "larger than" in found.unread[0] and done.not_copied
    assert cleaned(tmp_path, "x.pth")[0].not_looked_at == {".pth": ["x.pth"]}
