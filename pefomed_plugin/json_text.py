"""JSON from outside, read in one place: whatever a file, a server or a browser sends is a value of ours or a fault.

Python's own reader takes more than JSON (NaN, a key twice, whatever depth) and fails in four different ways; what it
takes fails later, far from the file. A fault says where and what, and never quotes a text: it may be a patient's.
Half a character (a lone surrogate, which JSON can hold and UTF-8 cannot) is U+FFFD; how many records held one is said.
"""

from __future__ import annotations

import json
import math
import operator
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

from .errors import printable, quoted, why
from .text import without_surrogates

DEEPEST = 100
"""Lists and objects within each other; whatever walks a value can do so without looking how deep it is."""
MOST_DIGITS = 300
"""Of a whole number: a float can still hold it. Python refuses more than 4,300, with an error of its own."""

_ESCAPED_HALF = re.compile(r"\\u[dD][89a-fA-F]")


class JsonFault(ValueError):
    """A text that is no JSON we read; one line for each fault, ``at`` says them with their place."""

    def __init__(self, problems: list[str], line: int = 0, column: int = 0) -> None:
        self.problems, self.line, self.column = problems, line, column
        super().__init__("; ".join(problems))

    def at(self, where: str, line: int | None = None) -> list[str]:
        """The faults as lines of a message.

        Args:
            where: name of the file.
            line: of the file, where each line is a JSON text of its own.
        """
        if self.line:
            return [f"{where}, line {line or self.line}, column {self.column}: {self.problems[0]}"]
        place = where if line is None else f"{where}, line {line}"
        return [f"{place}: {problem}" for problem in self.problems]


def parse_json(content: str | bytes, *, with_nan: bool = False) -> Any:
    """The value of a JSON text, half characters replaced.

    Args:
        content: text, or its bytes in UTF-8, with or without a BOM.
        with_nan: take ``NaN`` and ``Infinity``, which other projects write; else they are faults.

    Raises:
        JsonFault: not JSON; a key twice, a number that is not finite or too long, lists within lists without end.
    """
    return read_json_text(content, with_nan=with_nan)[0]


def parse_first(text: str) -> Any:
    """The value that a text begins with, whatever follows it; NaN is taken.

    Raises:
        JsonFault: it begins with none, or with one that is not read.
    """
    try:
        end = _LENIENT.raw_decode(text)[1]
    except (json.JSONDecodeError, RecursionError, _Refused):
        end = len(text)
    return parse_json(text[:end], with_nan=True)


def read_json_text(content: str | bytes, *, with_nan: bool = False) -> tuple[Any, int]:
    """As ``parse_json``, and how many of its records held half a character, which is now U+FFFD."""
    text = content if isinstance(content, str) else _decoded(content)
    text = text.removeprefix("\ufeff")
    try:
        value = _decode(text, _LENIENT if with_nan else _STRICT)
    except _Refused:
        raise JsonFault(list(_found(_decode(text, _MARKING), with_nan))) from None
    return (value, 0) if _ESCAPED_HALF.search(text) is None else mark_half_characters(value)


def as_json(value: Any) -> Any:
    """The value as it comes back from a file: tuples are lists, keys are texts."""
    return parse_json(json.dumps(value))


def mark_half_characters(value: Any) -> tuple[Any, int]:
    """A value of texts with U+FFFD for each half of a character, and how many records that changed.

    The records are the items of a list or a mapping of mappings; anything else is one record.
    """
    whole = _without_surrogates_in(value)
    if isinstance(value, list):
        return whole, sum(map(operator.ne, value, whole))
    if isinstance(value, dict) and all(isinstance(item, (dict, list)) for item in value.values()):
        return whole, sum(map(operator.ne, value.items(), whole.items()))
    return whole, int(whole != value)


@cache
def tell_half_characters(place: str, records: int) -> None:
    """Say once on the standard error that so many records of a file held half a character."""
    if records:
        print(
            f"{printable(place)}: {records:,} records hold half a character, as of an emoji that was cut; it is now "
            "U+FFFD",
            file=sys.stderr,
        )


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonFault([why(error)]) from None


def _decode(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        value = decoder.decode(text)
        is_deep = text.count("[") + text.count("{") > DEEPEST and _is_deep(value)
    except json.JSONDecodeError as error:
        raise JsonFault([f"not JSON ({_likely(text, error) or error.msg})"], error.lineno, error.colno) from None
    except RecursionError:
        is_deep = True
    if is_deep:
        raise JsonFault([f"lists and objects more than {DEEPEST} deep within each other"])
    return value


def _likely(text: str, error: json.JSONDecodeError) -> str:
    """What a text that is no JSON looks like; empty where nobody knows."""
    start = text[:64].lstrip().lower()
    if not start:
        return "it is empty" if not text.strip() else ""
    if start.startswith(("<!doctype html", "<html")):
        return "a web page, as servers send in place of a file: a login, a warning"
    if start.startswith("version https://git-lfs"):
        return "a Git LFS pointer; run git lfs pull"
    if error.msg == "Extra data" and error.lineno > 1 and text[error.pos] in "{[":
        return "JSON lines, a value on each; jq -s . makes one list of them"
    return ""


def _without_surrogates_in(value: Any) -> Any:
    if isinstance(value, str):
        return without_surrogates(value)
    if isinstance(value, (list, tuple)):
        return type(value)(map(_without_surrogates_in, value))
    if isinstance(value, dict):
        return {_without_surrogates_in(name): _without_surrogates_in(item) for name, item in value.items()}
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer if isinstance(outer, list) else ())
            if isinstance(item, (dict, list))
        ]
        if not level:
            return False
    return True


# -- the decoders: the first pass stops at what is refused, the second one, for the message, marks all of it ----------


class _Refused(Exception):
    """The text holds something that JSON has not; where, is looked for in a second pass."""


class _Fault:
    def __init__(self, words: str, *, is_nan: bool = False) -> None:
        self.words, self.is_nan = words, is_nan


class _Twice(dict):
    """An object with a key twice; ``again`` names those keys."""

    again: tuple[str, ...] = ()


def _whole_number(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise _Refused
    return int(digits)


def _fraction(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _Refused
    return number


def _no_number(name: str) -> float:
    raise _Refused


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused
    return found


def _mark_whole_number(digits: str) -> Any:
    return int(digits) if len(digits) <= MOST_DIGITS else _Fault(f"has {len(digits):,} digits, more than a number has")


def _mark_fraction(digits: str) -> Any:
    number = float(digits)
    return number if math.isfinite(number) else _Fault("is not a finite number; leave it out or write null")


def _mark_no_number(name: str) -> Any:
    return _Fault("is not a finite number; leave it out or write null", is_nan=True)


def _mark_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = _Twice(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        found.again = tuple(dict.fromkeys(name for name, _ in pairs if name in seen or seen.add(name)))  # type: ignore[func-returns-value]
    return found


_STRICT = json.JSONDecoder(
    parse_int=_whole_number, parse_float=_fraction, parse_constant=_no_number, object_pairs_hook=_object
)
_LENIENT = json.JSONDecoder(parse_int=_whole_number, parse_float=_fraction, object_pairs_hook=_object)
_MARKING = json.JSONDecoder(
    parse_int=_mark_whole_number,
    parse_float=_mark_fraction,
    parse_constant=_mark_no_number,
    object_pairs_hook=_mark_object,
)


def _found(value: Any, with_nan: bool, field: str = "") -> Iterator[str]:
    """A line for each fault within a value, with its field, as ``metadata.age``; list items by their number."""
    if isinstance(value, _Fault) and not (with_nan and value.is_nan):
        yield f"{field or 'it'} {value.words}"
    if isinstance(value, _Twice):
        yield from (f"{_inside(field, name)} occurs twice; keep one of the two" for name in value.again)
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield from _found(item, with_nan, _inside(field, name))


def _inside(field: str, name: Any) -> str:
    part = quoted(name, bare=True)
    return f"{field}.{part}" if field else f"record {part}" if isinstance(name, int) else part
