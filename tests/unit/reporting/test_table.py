"""One table, every renderer: a column added once is in all of them, and nothing that stands in a cell breaks one."""

from __future__ import annotations

import builtins
import json
import random
import sys
from dataclasses import replace
from typing import Any

import pytest

from pefomed_plugin.reporting.page.explorer import embeddable
from pefomed_plugin.reporting.rendering import show_table, text_width, to_data, to_lines, to_markdown, to_page
from pefomed_plugin.reporting.table import COUNT, FIGURE, HIGHER, Cell, Code, Column, Content, Table, text_of
from pefomed_plugin.scoring.intervals import Interval

NAME = Column("run", lambda item: item["run"])
SHARE = Column("open", lambda item: item.get("open"), FIGURE, unit="%", better=HIGHER, help="questions without options")
TABLE = Table("two runs", [NAME, SHARE], [{"run": "none", "open": 12.34}, {"run": "both"}])
HOSTILE = ("a|b", "<b>bold</b>", "line\nbreak", "tab\there", "\x1b[31mred", "\\|", "`code|`", "*star*", "\u2028", "")


def rendered(table: Table, capsys: pytest.CaptureFixture) -> dict[str, str]:
    show_table(table)
    return {
        "terminal": capsys.readouterr().out,
        "markdown": to_markdown(table),
        "page": json.dumps(to_page(table), ensure_ascii=False),
        "json": json.dumps(to_data(table), ensure_ascii=False),
    }


def test_a_column_added_once_is_in_every_renderer(capsys: pytest.CaptureFixture) -> None:
    before = rendered(TABLE, capsys)
    speed = Column("speed", lambda item: Cell(41.5, digits=1), FIGURE, unit="images/s")
    after = rendered(replace(TABLE, columns=[*TABLE.columns, speed]), capsys)
    for renderer, text in after.items():
        assert "speed" in text and "41.5" in text and "images/s" in text, renderer
        assert "speed" not in before[renderer], renderer


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, ""),
        ("text", "text"),
        (1234, "1,234"),
        (0.5, "0.500"),
        (Cell(77.4, "%"), "77.4 %"),
        (Cell(0.0, "%"), "0.0 %"),
        (Cell(75.0, "%", sd=1.25), "75.0 \u00b1 1.2 %"),
        (Cell(237, of=272), "237 of 272"),
        (Cell(75.6, digits=1, sd=1.2, paper=77.4, paper_sd=0.5), "75.6 \u00b1 1.2 (77.4 \u00b1 0.5)"),
        (Cell(3.0, digits=0, paper=7.75, paper_sd=5.55, paper_digits=2), "3 (7.75 \u00b1 5.55)"),
        (Cell(0.94, digits=2, interval=Interval(0.77, 1.0)), "0.94 [0.77 - 1.00]"),
        (Cell(-0.1, digits=1, interval=Interval(-0.3, 0.0)), "-0.1 [-0.3 to 0.0]"),
        (Cell(1.0, interval=Interval(None, None, "one cluster only")), "1.000"),
        (Cell(2.5, signed=True, digits=1), "+2.5"),
        (Cell(0.0004, least=0.001), "< 0.001"),
        (Cell(None), "-"),
        (Cell(None, paper=77.4, digits=1), "- (77.4)"),
        (Cell(None, reason="the judge did not answer"), "the judge did not answer"),
        (Cell(interval=Interval(0.0, 0.25)), "0.000 - 0.250"),
        (Cell(unit="%", interval=Interval(62.5, 87.5)), "62.5 - 87.5"),
        (Cell(interval=Interval(None, None, "one cluster only")), "one cluster only"),
    ],
)
def test_how_a_place_is_written(content: Content, text: str) -> None:
    assert text_of(content) == text


def test_the_columns_unit_and_digits_hold_for_its_cells() -> None:
    assert SHARE.header == "open %" and text_of(12.34, SHARE) == "12.3"
    megabytes = Column("size", lambda item: item, FIGURE, unit="MB", digits=2)
    assert megabytes.header == "size, MB" and text_of(12.345, megabytes) == "12.35"


def test_json_keeps_values_and_says_why_one_is_missing() -> None:
    cells: list[Content] = [
        0.0,
        Cell(0.0, "%"),
        Cell(None, reason="nothing was scored"),
        Cell(interval=Interval(0.0, 0.5)),
        None,
    ]
    found = to_data(Table("", [Column("", lambda item: item, FIGURE)], cells))
    assert [row[0] for row in found["rows"]] == [
        0.0,
        {"value": 0.0, "unit": "%"},
        {"value": None, "reason": "nothing was scored"},
        {"value": None, "interval": {"low": 0.0, "high": 0.5, "reason": None}},
        None,
    ]
    (column,) = to_data(replace(TABLE, columns=[SHARE]))["columns"]
    assert column == {
        "name": "open",
        "kind": "figure",
        "unit": "%",
        "better": "higher",
        "help": "questions without options",
    }


def tables(seed: int) -> Table:
    """A table of texts that renderers stumble over, wide letters, and figures with and without a value."""
    draw = random.Random(seed)
    letters = [*HOSTILE, "\u8868", "e\u0301", "Größe", "word", "\U0001f642"]
    figures: list[Content] = [None, 1234567, 0.25, Cell(1.5, "%", sd=0.5), Cell(None, reason="a|reason <why>\n?")]
    items = [
        ["".join(draw.choices(letters, k=draw.randint(0, 4))), draw.choice(figures)] for _ in range(draw.randint(1, 6))
    ]
    names = draw.choices(letters, k=2)
    return Table(
        draw.choice(letters),
        [Column(names[0], lambda item: item[0]), Column(names[1], lambda item: item[1], COUNT)],
        items,
        notes=[draw.choice(letters)],
    )


@pytest.mark.parametrize("seed", range(60))
def test_plain_lines_are_aligned_whatever_they_hold(seed: int) -> None:
    table = tables(seed)
    lines = to_lines(table)
    body = lines[1 if table.title else 0 : -1]
    assert len(body) == 1 + len(table.items)
    ends = [text_width(line) for line, texts in zip(body[1:], table.texts()) if texts[1]]
    assert len(set(ends)) <= 1, "right ends of the figures"
    assert not any(ord(letter) < 32 for line in lines for letter in line)


@pytest.mark.parametrize("seed", range(60))
def test_markdown_rows_have_as_many_cells_as_columns_whatever_they_hold(seed: int) -> None:
    table = tables(seed)
    rows = [line for line in to_markdown(table).split("\n") if line.startswith("| ")]
    assert len(rows) == 2 + len(table.items)
    for row in rows:
        bars, escaped = 0, False
        for letter in row:
            bars += letter == "|" and not escaped
            escaped = letter == "\\" and not escaped
        assert bars == len(table.columns) + 1, row
        assert "<" not in row


@pytest.mark.parametrize("seed", range(60))
def test_the_page_gets_texts_and_no_markup(seed: int) -> None:
    table = tables(seed)
    found = to_page(table)
    assert found["rows"] == table.texts()
    assert all(isinstance(text, str) and "\n" not in text for row in found["rows"] for text in row)
    assert "<" not in embeddable(found) and json.loads(embeddable(found)) == found


def test_code_is_code_in_markdown_alone() -> None:
    table = Table("", [Column("file", lambda item: item)], [Code("a<b>|c"), Code("`quoted`"), Code("")])
    assert to_markdown(table).splitlines()[2:] == ["| `a<b>\\|c` |", "| `` `quoted` `` |", "|  |"]
    assert to_lines(table)[1:] == ["a<b>|c", "`quoted`", ""]


def test_markdown_of_nothing_is_nothing_and_a_title_is_a_heading() -> None:
    assert to_markdown(replace(TABLE, items=[])) == ""
    assert to_markdown(TABLE).splitlines()[:4] == ["## two runs", "", "| run | open % |", "| --- | ---: |"]


def test_without_rich_a_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    imported = builtins.__import__

    def without_rich(name: str, *arguments: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return imported(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without_rich)
    show_table(TABLE)
    assert capsys.readouterr().out == "two runs\nrun   open %\nnone    12.3\nboth\n"


def test_a_terminal_gets_a_frame_and_texts_are_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    show_table(replace(TABLE, items=[{"run": "[red]synpic1.jpg", "open": 1.0}], tone=lambda item: "warning"))
    shown = capsys.readouterr().out
    assert "[red]synpic1.jpg" in shown and "\u2502" in shown
