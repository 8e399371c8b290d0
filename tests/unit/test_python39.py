"""The package on Python 3.9, the interpreter of a MiniGPT-v2 environment: syntax, annotations, and what came later."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pefomed_plugin"
FILES = sorted(PACKAGE.rglob("*.py"))
LATER_KEYWORDS = {
    "zip": {"strict"},
    "dataclass": {"slots", "kw_only"},
    "field": {"kw_only"},
    "entry_points": {"group"},
    "insort": {"key"},
    "bisect": {"key"},
    "bisect_left": {"key"},
    "bisect_right": {"key"},
}
"""Function -> keywords it takes since Python 3.10 only."""
LATER_NAMES = {
    "typing": {
        "ParamSpec",
        "Concatenate",
        "TypeAlias",
        "TypeGuard",
        "Self",
        "assert_never",
        "Never",
        "override",
        "NotRequired",
        "Required",
        "Unpack",
        "LiteralString",
        "reveal_type",
        "assert_type",
    },
    "itertools": {"pairwise", "batched"},
    "contextlib": {"aclosing", "chdir"},
    "datetime": {"UTC"},
    "enum": {"StrEnum"},
    "types": {"NoneType", "EllipsisType", "UnionType"},
    "tomllib": set(),
    "sys": {"exception"},
}
"""Module -> names it has since Python 3.10 or later; an empty set: the module itself."""


def annotations(tree: ast.AST) -> Iterator[ast.expr]:
    """Every annotation that is evaluated: none under ``from __future__ import annotations``, unless hints are read."""
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in ast.walk(tree))
    if postponed and "get_type_hints" not in names:
        return
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            found = getattr(node, name, None)
            if isinstance(found, ast.expr):
                yield found


def later(source: str) -> list[tuple[int, str]]:
    """What Python 3.9 cannot do: line and reason.

    Raises:
        SyntaxError: it cannot even be parsed.
    """
    tree = ast.parse(source, feature_version=(3, 9))
    found = [
        (part.lineno, "X | Y in an annotation")
        for annotation in annotations(tree)
        for part in ast.walk(annotation)
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr)
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = {keyword.arg for keyword in node.keywords}
            found += [(node.lineno, f"{name}({each}=)") for each in given & LATER_KEYWORDS.get(name, set())]
            if name in ("isinstance", "issubclass") and any(isinstance(each, ast.BinOp) for each in node.args[1:]):
                found.append((node.lineno, "X | Y in " + name))
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module in LATER_NAMES:
            names = LATER_NAMES[node.module]
            found += [
                (node.lineno, node.module + "." + name.name) for name in node.names if not names or name.name in names
            ]
        elif isinstance(node, ast.Import):
            found += [(node.lineno, name.name) for name in node.names if LATER_NAMES.get(name.name) == set()]
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.attr in LATER_NAMES.get(node.value.id, set())
        ):
            found.append((node.lineno, node.value.id + "." + node.attr))
    return found


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_file_is_python_39(path: Path) -> None:
    assert later(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("def f(a: int | None) -> None: ...", "X | Y in an annotation"),
        ("def f() -> 'int | None': ...\nx: int | str = 1", "X | Y in an annotation"),
        (
            "from __future__ import annotations\nx: int | str = 1\nget_type_hints(A)",
            "X | Y in an annotation",
        ),
        ("zip(a, b, strict=True)", "zip(strict=)"),
        ("@dataclass(frozen=True, slots=True)\nclass A: ...", "dataclass(slots=)"),
        ("isinstance(a, int | str)", "X | Y in isinstance"),
        ("from typing import Self", "typing.Self"),
        ("import tomllib", "tomllib"),
        ("import itertools\nitertools.pairwise(a)", "itertools.pairwise"),
    ],
)
def test_what_came_later_is_found(source: str, reason: str) -> None:
    assert [each for _, each in later(source)] == [reason]


@pytest.mark.parametrize(
    "source", ["match a:\n    case 1: ...", "try: ...\nexcept* ValueError: ...", "def f[T](a: T) -> T: ..."]
)
def test_syntax_that_came_later_is_refused(source: str) -> None:
    with pytest.raises(SyntaxError):
        later(source)


@pytest.mark.parametrize(
    "source",
    ["'a'.removeprefix('b')", "def f() -> 'int | None': ...", "a | b", "from typing import List\nx: List[int] = []"],
)
def test_what_python_39_has_is_not_refused(source: str) -> None:
    assert later(source) == []
