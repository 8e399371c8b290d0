"""A table on a terminal, in Markdown, as CSV, on the HTML page and as ``--json``: each a function of the table.

LaTeX is in ``latex``.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from html import escape
from typing import Any, Union

from ..services.console import Line, is_first_rank, make_console, print_line, say
from ..services.terminal import break_at_separators
from .table import BAD, GOOD, QUIET, TEXT, WARNING, Cell, Code, Column, Content, Table, on_one_line


@dataclass(frozen=True)
class Panel:
    """What a run comes to, in a frame: a heading and, line by line, of what and what."""

    title: str
    rows: Sequence[tuple[str, str]]
    """A name that is empty goes on with the one above."""


Shown = Union[Table, Panel, Line, str]
"""What a command prints, one below the other."""
_STYLES = {GOOD: "green", QUIET: "dim", WARNING: "yellow", BAD: "red"}


def to_lines(table: Table) -> list[str]:
    """Plain lines, columns two spaces apart, never folded: for logs and ``grep``."""
    lines = [[column.header for column in table.columns], *table.texts()]
    widths = [max(map(text_width, places)) for places in zip(*lines)]
    return [
        *([on_one_line(table.title)] if table.title else []),
        *("  ".join(map(_padded, line, widths, table.columns)).rstrip() for line in lines),
        *map(on_one_line, table.notes),
    ]


def show(parts: Iterable[Shown]) -> None:
    """Print tables and lines, on the first rank only."""
    for part in parts:
        if isinstance(part, Table):
            show_table(part)
        elif isinstance(part, Panel):
            show_panel(part)
        elif isinstance(part, Line):
            print_line(part.text, part.style)
        else:
            say(part)


def show_table(table: Table) -> None:
    """Print it, on the first rank only: with a frame on a terminal where rich is installed, else as plain lines."""
    console = make_console() if is_first_rank() else None
    if console is None:
        say("\n".join(to_lines(table)))
        return
    if table.title:
        print_line(on_one_line(table.title), "italic")  # rich would fold it to the table's width
    console.print(framed(table))
    for note in table.notes:
        print_line(on_one_line(note))


def framed(table: Table) -> Any:
    """Its columns and rows for rich, without title and notes."""
    from rich.table import Table as Frame  # late: heavy
    from rich.text import Text  # late: heavy

    class Place(Text):
        """A place of the table, whose long names break where a reader would break them."""

        def wrap(self, console: Any, width: int, **others: Any) -> Any:
            plain = Text(break_at_separators(self.plain, width), self.style)
            return plain.wrap(console, width, **others)

    frame = Frame()
    for column in table.columns:
        frame.add_column(Place(column.header), justify="left" if column.kind == TEXT else "right", overflow="fold")
    for item, texts in zip(table.items, table.texts()):
        frame.add_row(*map(Place, texts), style=_STYLES.get(table.tone(item)) if table.tone else None)
    return frame


def show_panel(panel: Panel) -> None:
    """Print it, on the first rank only: in a frame on a terminal where rich is installed, else as plain lines."""
    console = make_console() if is_first_rank() else None
    if console is None:
        width = max(len(name) for name, _ in panel.rows)
        say(
            "\n".join([on_one_line(panel.title), *(f"  {name:<{width}}  {text}".rstrip() for name, text in panel.rows)])
        )
        return
    from rich import box  # late: heavy
    from rich.panel import Panel as Frame  # late: heavy
    from rich.table import Table as Grid  # late: heavy
    from rich.text import Text  # late: heavy

    grid = Grid.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, text in panel.rows:
        grid.add_row(Text(name), Text(text))
    console.print(Frame(grid, title=Text(on_one_line(panel.title)), title_align="left", box=box.SQUARE, expand=False))


def to_markdown(table: Table) -> str:
    """As GitHub and the Hugging Face hub read it, the title as a heading; nothing where it has no rows."""
    if not table.items:
        return ""
    lines = [
        [_escaped(column.header) for column in table.columns],
        ["---" if column.kind == TEXT else "---:" for column in table.columns],
        *(
            [_as_code(text) if isinstance(place, Code) else _escaped(text) for place, text in zip(row, texts)]
            for row, texts in zip(table.rows(), table.texts())
        ),
    ]
    return "\n\n".join(
        [
            *(["## " + _escaped(on_one_line(table.title))] if table.title else []),
            "\n".join(f"| {' | '.join(line)} |" for line in lines),
            *(_escaped(on_one_line(note)) for note in table.notes),
        ]
    )


def to_html(table: Table) -> str:
    """For a page without a script: every text escaped; nothing where it has no rows."""
    if not table.items:
        return ""
    kinds = ["" if column.kind == TEXT else ' class="number"' for column in table.columns]
    head = "".join(f'<th scope="col"{kind}>{escape(column.header)}</th>' for kind, column in zip(kinds, table.columns))
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{escape(text)}</td>' for kind, text in zip(kinds, texts))}</tr>"
        for texts in table.texts()
    )
    notes = "".join(f"<p>{escape(on_one_line(note))}</p>" for note in table.notes)
    caption = f"<caption>{escape(on_one_line(table.title))}</caption>" if table.title else ""
    rows = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    name = f' role="region" aria-label="{escape(on_one_line(table.title))}"' if table.title else ""
    return f'<div class="plain-table" tabindex="0"{name}>{rows}</div>{notes}'


def to_csv(table: Table) -> str:
    """Numbers as they are, for programs: what a place holds beside its value gets columns of its own.

    ``open %`` is followed by ``open % sd``, ``low``, ``high``, ``paper``, ``paper sd`` and ``reason`` where any row has
    one; a place without a value is empty and has a reason.
    """
    rows = table.rows()
    columns: list[list[str]] = []
    for number, column in enumerate(table.columns):
        parts = [_csv_parts(row[number]) for row in rows]
        used = [name for name in _CSV_PARTS if not name or any(found.get(name) for found in parts)]
        columns += [[f"{column.header} {name}".strip(), *(found.get(name, "") for found in parts)] for name in used]
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(zip(*columns))
    return file.getvalue()


_CSV_PARTS = ("", "of", "sd", "low", "high", "paper", "paper sd", "reason")


def _csv_parts(place: Content) -> dict[str, str]:
    if not isinstance(place, Cell):
        return {"": "" if place is None else str(place)}
    interval = place.interval
    found = {
        "": place.value,
        "of": place.of,
        "sd": place.sd,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "paper": place.paper,
        "paper sd": place.paper_sd,
        "reason": place.reason or (interval.reason if interval else None) or None,
    }
    return {name: str(value) for name, value in found.items() if value is not None}


def to_data(table: Table) -> dict[str, Any]:
    """For ``--json``: columns with kind, unit, direction and help; rows as they are, not as they are written."""
    return {
        "title": table.title,
        "columns": [
            {"name": c.name, "kind": c.kind, "unit": c.unit, "better": c.better, "help": c.help} for c in table.columns
        ],
        "rows": [[_as_data(place) for place in row] for row in table.rows()],
        "notes": list(table.notes),
    }


def to_page(table: Table) -> dict[str, Any]:
    """For the script of the HTML page, which sets it as text and never as HTML: what is written, and its columns."""
    return {
        "title": on_one_line(table.title),
        "columns": [
            {"header": column.header, "kind": column.kind, "help": _explained(column)} for column in table.columns
        ],
        "rows": table.texts(),
        "notes": [on_one_line(note) for note in table.notes],
    }


def text_width(text: str) -> int:
    """Columns of a terminal that a text takes: two for a wide character, none for a combining one."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _padded(text: str, width: int, column: Column) -> str:
    space = " " * (width - text_width(text))
    return text + space if column.kind == TEXT else space + text


def _escaped(text: str) -> str:
    for letter in "\\|*`":
        text = text.replace(letter, "\\" + letter)
    return text.replace("<", "&lt;")


def _as_code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", "\\|") if text else ""


def _as_data(place: Content) -> Any:
    if not isinstance(place, Cell):
        return place
    empty = {field.name: field.default for field in fields(Cell)}
    return {key: value for key, value in asdict(place).items() if key == "value" or value != empty[key]}


def _explained(column: Column) -> str:
    direction = f"{column.better} is better" if column.better else ""
    return "; ".join(part for part in (column.help, direction) if part)
