"""What CONTRIBUTING promises: nine changes, the file that each touches, and a test that makes it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| (an? [\w ]+) \| (.+) \| `(tests/[\w/]+\.py)` \|$",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def test_nine_changes_are_listed() -> None:
    assert [change for change, _, _ in ROWS] == [
        "a command",
        "a data set",
        "a scorer",
        "a rubric",
        "a language model",
        "a vision encoder",
        "a training strategy",
        "a column",
        "a PEFT variant",
    ]


def test_each_names_a_test_with_tests_in_it() -> None:
    for _, _, path in ROWS:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert any(isinstance(node, ast.FunctionDef) and node.name.startswith("test_") for node in ast.walk(tree)), path


def test_the_rooms_that_are_named_exist() -> None:
    for _, where, _ in ROWS:
        for name in re.findall(r"`([a-z_/]+)/<name>\.(?:py|yaml)`|`([a-z_/]+\.py)`", where):
            assert any((ROOT / "pefomed_plugin" / part).exists() for part in name if part), name
