"""Workbooks: cells of every sheet, hidden ones too, and what stands around them: comments, names, headers, properties.

What openpyxl does not show is read from the parts of the file, which is a zip of XML. A cleaned copy is written by
openpyxl; of a formula it keeps the value, because nobody would compute it again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable
from zipfile import ZipFile

from ...errors import DataError
from ..spreadsheets import opened_workbook
from .said import PROGRAMS, Say, Visit

SUFFIXES = (".xlsx", ".xlsm")
_PERSON, _HOUSE = "person name", "institution"
_PROPERTIES = {
    "creator": _PERSON,
    "lastModifiedBy": _PERSON,
    "title": "",
    "subject": "",
    "description": "",
    "keywords": "",
    "category": "",
}
_READ_AS_CELLS = re.compile(r"(?:\[Content_Types\]|docProps/core|xl/(?:styles|theme/|calcChain|metadata))")
_SHEET = re.compile(r"xl/worksheets/sheet\d+\.xml")
_TEXT = re.compile(r"<(?:\w+:)?(\w+)[^<>]*>([^<>]+)<")
_SAID_BY_ATTRIBUTES = re.compile(r'\b(?:displayName|userId|prompt|promptTitle|tooltip|display|descr)="([^"]{2,})"')
_CACHED = re.compile(r'<s v="([^"]*)"')
"""A text of a pivot table's cache, which holds rows that the sheets may have lost."""
_LINKED = re.compile(r'\bTarget="((?:https?|mailto|file|ftp):[^"]*)"')
_PLACES = re.compile(r'&(?:[LCR]|"[^"]*"|\d+)')
"""Where a part of a header stands, and in which letters."""
_NAMED = {"author": _PERSON, "Manager": _PERSON, "Company": _HOUSE}


def visit_workbook(path: Path, visit: Visit, out: Path | None, say: Say) -> None:
    """Every text of a workbook; with ``out`` a copy with what became of them.

    Raises:
        ConfigError: openpyxl is missing.
        DataError: it is damaged, unpacks to too much, or has macros, which a copy would lose.
    """
    if out is not None:
        _rewrite(path, visit, out, say)
        return
    with opened_workbook(path) as book:
        for key, kind in _PROPERTIES.items():
            _visit_named(str(getattr(book.properties, key, None) or ""), f"properties, {key}", kind, visit)
        for sheet in book.worksheets:
            header: list[str] = []
            sheet.reset_dimensions()  # what the file says of its size may be wrong
            for number, row in enumerate(sheet.iter_rows(values_only=True), 1):
                for at, value in enumerate(row):
                    if value is not None:
                        name = header[at] if at < len(header) else ""
                        visit(str(value), f"{sheet.title}!{_column(at)}{number}", name)
                header = header or [str(cell or "").strip() for cell in row]
    with ZipFile(path) as packed:
        for member in packed.namelist():
            if member.endswith((".xml", ".rels")) and not _READ_AS_CELLS.match(member):
                for place, text, name in _around(member, packed.read(member).decode("utf-8", "replace")):
                    _visit_named(text, place, name, visit)
    _say_what_is_not_looked_at(path, say)


def _around(member: str, content: str) -> Iterator[tuple[str, str, str]]:
    """(place, text, field) of what a part of the file says that is no cell."""
    part = member.rpartition("/")[2]
    if _SHEET.fullmatch(member):
        cells = content.find("</sheetData>")
        content = content[max(cells, 0) :]
    elif member in ("xl/sharedStrings.xml", "xl/workbook.xml"):
        titles = re.findall(r'<(?:\w+:)?sheet [^<>]*?\bname="([^"]*)"', content)
        yield from ((f"name of sheet {number}", html.unescape(title), "") for number, title in enumerate(titles, 1))
        content = content if member.endswith("workbook.xml") else ""
    for name, text in _TEXT.findall(content):
        if not re.fullmatch(r"[\W\d_]*|true|false|\d+(\.\d+)?", text):
            shown = html.unescape(text)
            yield part, _PLACES.sub(" ", shown) if name.endswith(("Header", "Footer")) else shown, _NAMED.get(name, "")
    attributes = (_SAID_BY_ATTRIBUTES, _CACHED, _LINKED)
    for text in [found for expression in attributes for found in expression.findall(content)]:
        yield part, html.unescape(text), ""


def _visit_named(text: str, place: str, name: str, visit: Visit) -> str:
    return text if text.strip().lower() in PROGRAMS else visit(text, place, name)


def _say_what_is_not_looked_at(path: Path, say: Say) -> None:
    with ZipFile(path) as packed:
        members = packed.namelist()
    if any(member.startswith("xl/media/") for member in members):
        say("images within a workbook were not looked at")
    if any(member.endswith((".bin", ".ole")) and "printerSettings" not in member for member in members):
        say("macros or objects within a workbook were not looked at")


def _rewrite(path: Path, visit: Visit, out: Path, say: Say) -> None:
    if path.suffix.lower() == ".xlsm":
        raise DataError(f"{path}: macros would be lost; save it as .xlsx")
    with opened_workbook(path):
        pass  # its limits hold here too, and openpyxl is there
    from openpyxl import load_workbook  # late: optional

    book, values = load_workbook(path), load_workbook(path, data_only=True)
    for sheet in book.worksheets:
        computed = values[sheet.title]
        _rewrite_cells(sheet, computed, visit)
        _rewrite_margins(sheet, visit)
    for sheet in book.worksheets:
        title = visit(sheet.title, "name of a sheet", "")
        if title != sheet.title:
            sheet.title = re.sub(r"[\[\]:*?/\\]", "", title)
    for name, kind in _PROPERTIES.items():
        text = str(getattr(book.properties, name, None) or "")
        if text:
            setattr(book.properties, name, _visit_named(text, f"properties, {name}", kind, visit))
    _rewrite_names(book, visit)
    _say_what_is_not_looked_at(path, say)
    book.save(out)


def _rewrite_names(book: Any, visit: Visit) -> None:
    """Names that formulas use, of the book and of its sheets, and properties that somebody added."""
    for names in [book.defined_names, *(sheet.defined_names for sheet in book.worksheets)]:
        for name, defined in names.items():
            _rewrite_field(defined, ("attr_text", "comment"), f"name {name}", visit)
    for added in getattr(book, "custom_doc_props", ()):
        if isinstance(added.value, str):
            _rewrite_field(added, ("value",), f"properties, {added.name}", visit)


def _rewrite_cells(sheet: Any, computed: Any, visit: Visit) -> None:
    header: dict[int, str] = {}
    for row in sheet.iter_rows():
        for cell in row:
            place = f"{sheet.title}!{cell.coordinate}"
            if cell.comment is not None:
                cell.comment.text = visit(cell.comment.text, f"{place}, comment", "")
                cell.comment.author = _visit_named(cell.comment.author or "", f"{place}, comment", _PERSON, visit)
            if cell.hyperlink is not None:
                _rewrite_field(cell.hyperlink, ("target", "tooltip", "display", "location"), f"{place}, link", visit)
            if cell.value is None:
                continue
            text, name = str(cell.value), header.get(cell.column, "")
            changed = visit(text, place, name)
            value = computed[cell.coordinate].value if cell.data_type == "f" else None
            if value is not None:  # a copy has no values of formulas, and readers would find empty cells
                text, cell.value = str(value), value
                changed = visit(text, place, name)
            if changed != text:
                cell.value = changed
        header = header or {cell.column: str(cell.value or "").strip() for cell in row}


def _rewrite_margins(sheet: Any, visit: Visit) -> None:
    """What is printed above and below a sheet, and what its cells ask for."""
    for kind in ("oddHeader", "oddFooter", "evenHeader", "evenFooter", "firstHeader", "firstFooter"):
        for side in ("left", "center", "right"):
            _rewrite_field(getattr(getattr(sheet, kind), side), ("text",), f"{sheet.title}, {kind}", visit)
    for rule in sheet.data_validations.dataValidation:
        _rewrite_field(
            rule,
            ("prompt", "promptTitle", "error", "errorTitle", "formula1", "formula2"),
            f"{sheet.title}, validation",
            visit,
        )


def _rewrite_field(thing: Any, names: tuple[str, ...], place: str, visit: Callable[[str, str, str], str]) -> None:
    for name in names:
        text = getattr(thing, name, None)
        if text:
            setattr(thing, name, visit(str(text), place, ""))


def _column(place: int) -> str:
    letters, number = "", place + 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
