"""What is no JSON of ours has a line with its place and field, and no text of the file is in it."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

import pefomed_plugin
from pefomed_plugin.json_text import DEEPEST, MOST_DIGITS, JsonFault, as_json, parse_first, parse_json

PACKAGE = Path(pefomed_plugin.__file__).parent
SECRET = "carcinoma of John Doe"


def test_the_first_of_several_values() -> None:
    assert parse_first('{"a": NaN}, {"b": ') != {} and parse_first('{"a": [1]}, {"b": ') == {"a": [1]}
    for text in ("", '{"a": ', '{"a": 1, "a": 2}', "[" * 100_000):
        with pytest.raises(JsonFault):
            parse_first(text)


def test_only_one_module_calls_pythons_reader() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "json_text.py" and path.parent.name != "drivers"  # run apart: read what we have just written
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (
            (isinstance(node, ast.Attribute) and node.attr in ("load", "loads", "JSONDecoder"))
            and isinstance(node.value, ast.Name)
            and node.value.id in ("json", "simplejson", "ujson", "orjson")
        )
        or (isinstance(node, ast.ImportFrom) and node.module == "json")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"a": NaN}', "f, line 7: a is not a finite number; leave it out or write null"),
        (
            '[{"b": {"c": [1, -Infinity]}}]',
            "f, line 7: record 0.b.c.1 is not a finite number; leave it out or write null",
        ),
        ('{"a": 1e999}', "f, line 7: a is not a finite number; leave it out or write null"),
        ("9" * 5000, "f, line 7: it has 5,000 digits, more than a number has"),
        ('{"a": {"b": 1, "b": 2, "c": 3, "c": 4}}', "f, line 7: a.b occurs twice; keep one of the two"),
        ('{"\\u001b[31mred": {"k": 1, "k": 1}}', "f, line 7: \\x1b[31mred.k occurs twice; keep one of the two"),
        ("[" * 100_000, f"f, line 7: lists and objects more than {DEEPEST} deep within each other"),
        ("[" * 101 + "]" * 101, f"f, line 7: lists and objects more than {DEEPEST} deep within each other"),
        ('{"a":' * 101 + "NaN" + "}" * 101, f"f, line 7: lists and objects more than {DEEPEST} deep within each other"),
        (f'{{"a": "{SECRET}"', "f, line 7, column 30: not JSON (Expecting ',' delimiter)"),
        (f'{{"a": "{SECRET}\n"}}', "f, line 7, column 29: not JSON (Invalid control character at)"),
        ("", "f, line 7, column 1: not JSON (it is empty)"),
        (
            "<!DOCTYPE html><html>",
            "f, line 7, column 1: not JSON (a web page, as servers send in place of a file: a login, a warning)",
        ),
        (
            "version https://git-lfs.github.com/spec/v1\noid",
            "f, line 7, column 1: not JSON (a Git LFS pointer; run git lfs pull)",
        ),
        (
            '{"a": 1}\n{"a": 2}\n',
            "f, line 7, column 1: not JSON (JSON lines, a value on each; jq -s . makes one list of them)",
        ),
        ('{"a": 1} trailing', "f, line 7, column 10: not JSON (Extra data)"),
        (b"\x1f\x8b\x08\0", "f, line 7: it is packed with gzip; unpack it, for example with gzip -dc"),
        ("[]".encode("utf-16"), "f, line 7: it is UTF-16, not UTF-8; convert the file: iconv -f utf-16 -t utf-8"),
        (
            b'{"a": "\xff"}',
            "f, line 7: byte 7 is not UTF-8; convert the file, for example with iconv -f latin1 -t utf-8",
        ),
        ('{"a": NaN, "a": 2,,}', "f, line 7, column 19: not JSON (Expecting property name enclosed in double quotes)"),
    ],
)
def test_what_is_no_json_is_named(text: str | bytes, problem: str) -> None:
    with pytest.raises(JsonFault) as caught:
        parse_json(text)
    assert problem in caught.value.at("f", 7)
    assert SECRET not in str(caught.value)


def test_all_faults_of_a_text_come_together() -> None:
    with pytest.raises(JsonFault) as caught:
        parse_json('[{"a": NaN}, {"b": 1, "b": 2}, {"c": 1e400}]')
    assert [problem.split(" ")[1] for problem in caught.value.problems] == ["0.a", "1.b", "2.c"]


def test_a_text_of_several_lines_says_its_own() -> None:
    with pytest.raises(JsonFault) as caught:
        parse_json('{\n "a": 1,\n b}')
    assert caught.value.at("f") == ["f, line 3, column 2: not JSON (Expecting property name enclosed in double quotes)"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('\ufeff{"a": 1}', {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("[" * 100 + "]" * 100, json.loads("[" * 100 + "]" * 100)),
        ("1" * MOST_DIGITS, int("1" * MOST_DIGITS)),
        ('{"\\ud83d\\ude00": "\\ud83d"}', {"\U0001f600": "\ufffd"}),
        ('[[], {}, null, true, -0.5, 1e300, "\\u0000"]', [[], {}, None, True, -0.5, 1e300, "\0"]),
    ],
)
def test_what_is_json_is_read(text: str | bytes, value: object) -> None:
    assert parse_json(text) == value


def test_other_projects_may_write_nan() -> None:
    found = parse_json('{"a": NaN, "b": Infinity}', with_nan=True)
    assert found["a"] != found["a"] and found["b"] == float("inf")
    with pytest.raises(JsonFault, match="a occurs twice"):
        parse_json('{"a": NaN, "a": 1}', with_nan=True)


def test_a_value_as_it_comes_back_from_a_file() -> None:
    assert as_json({"a": (1, 2), 3: None}) == {"a": [1, 2], "3": None}
