"""Texts that stand in several columns of a user's table, as findings and impression do: joined as ``--map`` says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ...errors import DataError
from ...readers.custom import EMPTY_WORDS
from ...text import join_sections
from .columns import JOIN, TEXT_FIELDS, named_columns, near_columns
from .tables import Table, as_text


def join_columns(table: Table, given: Mapping[str, str]) -> list[str]:
    """Add to a table the columns that ``report=Befund+Beurteilung`` makes of others; in words what was done.

    A column that has the whole name is that column. Texts are joined as the readers of IU-Xray and MIMIC-CXR join
    sections: in the given order, a blank between, empty ones left out.

    Raises:
        DataError: a part is no column of the table, or the name can be read in several ways; all of them.
    """
    said: list[str] = []
    problems: list[str] = []
    for field, column in given.items():
        if JOIN not in column:
            continue
        ways = [parts for parts in _ways(column.split(JOIN), table.header) if len(set(parts)) == len(parts)]
        if _called(column, table.header):
            if ways and field in TEXT_FIELDS:
                said.append(f"{field}: the one column of this name, not {' and '.join(ways[0])} joined")
        elif field in TEXT_FIELDS and len(ways) == 1:
            said.append(_join(table, field, column, ways[0]))
        elif ways and field in TEXT_FIELDS:
            shown = ", or ".join(" and ".join(map(repr, parts)) for parts in ways)
            problems.append(f"--map {field}={column}: it may be {shown}; rename a column")
        elif not named_columns(column, table.header):
            problems.append(f"--map {field}={column}: {table.path.name} {_fault(field, column, table.header)}")
    if problems:
        raise DataError("the columns of the table cannot be told", problems)
    return said


def _ways(pieces: Sequence[str], header: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The ways to read ``a+b+c`` as names of two or more columns; a name may hold the mark itself."""
    for end in range(1, len(pieces)):
        found, rest = _called(JOIN.join(pieces[:end]), header), pieces[end:]
        if len(found) == 1:
            last = _called(JOIN.join(rest), header)
            if len(last) == 1:
                yield (found[0], last[0])
            for parts in _ways(rest, header):
                yield (found[0], *parts)


def _called(name: str, header: Sequence[str]) -> list[str]:
    """The columns of this name, in which the mark counts."""
    return [column for column in named_columns(name.strip(), header) if column.count(JOIN) == name.count(JOIN)]


def _join(table: Table, field: str, column: str, parts: tuple[str, ...]) -> str:
    empty = dict.fromkeys(parts, 0)
    wholly = hollow = alike = 0
    for _, row in table.rows:
        cells = [as_text(row.get(part, "")) for part in parts]
        row[column] = _joined(cells)
        bare = [part for part, cell in zip(parts, cells) if isinstance(cell, str) and not cell.strip()]
        wholly += len(bare) == len(parts)
        texts = [cell.strip().casefold() for cell in cells if isinstance(cell, str) and cell.strip()]
        hollow += any(text in EMPTY_WORDS for text in texts)
        alike += len(set(texts)) < len(texts)
        for part in bare:
            empty[part] += 1
    places = {table.header.index(part) for part in parts}
    table.faulty_cells += [(len(table.header), text) for place, text in table.faulty_cells if place in places]
    table.header = [*table.header, column]
    table.joined[column] = parts
    counts = [f"{part} in {count:,}" for part, count in empty.items() if count]
    held = f"empty of {len(table.rows):,} records: {', '.join(counts)}" if counts else "none of them is empty"
    return (
        f"{table.path.name}: {field} is {' and '.join(parts)} joined, a blank between, as of IU-Xray and MIMIC-CXR; "
        f"{held}{f', all in {wholly:,}' if wholly else ''}"
        f"{f'; {hollow:,} hold a part that says nothing (such as n/a or -), joined as it is' if hollow else ''}"
        f"{f'; {alike:,} hold one text twice, joined as it is' if alike else ''}"
    )


def _joined(cells: Iterable[Any]) -> Any:
    """The text; a list or an object as it is, for whoever refuses those."""
    cells = list(cells)
    others = [cell for cell in cells if not isinstance(cell, str)]
    return others[0] if others else join_sections(cells)


def _fault(field: str, column: str, header: Sequence[str]) -> str:
    """Why a name with the mark is neither a column nor several."""
    found = {piece: named_columns(piece, header) for piece in (piece.strip() for piece in column.split(JOIN))}
    unknown = [f"no column {piece!r}; {near_columns(piece, header)}" for piece, names in found.items() if not names]
    twice = [piece for piece, names in found.items() if len(names) > 1]
    if field not in TEXT_FIELDS:
        return f"has no such column; {near_columns(column, header)} (joined are only {', '.join(TEXT_FIELDS)})"
    if "" in found:
        return f"has no such column; to join several, name each: --map {field}=ONE{JOIN}OTHER"
    if unknown:
        return f"has {'; '.join(unknown)}"
    if twice:
        return f"has {len(found[twice[0]])} columns {twice[0]!r}; rename one"
    return "would have a column joined with itself; name each once"
