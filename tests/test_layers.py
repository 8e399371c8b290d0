"""Imports point down only. Parses every file of the package, so that also late imports inside functions count."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pefomed_plugin"
LAYERS = {
    "__init__": 0,
    "__version__": 0,
    "errors": 0,
    "records": 0,
    "text": 0,
    "json_text": 0,
    "json_fields": 0,
    "input_files": 0,
    "digests": 0,
    "requirements": 0,
    "locks": 0,
    "atomic": 0,
    "offline": 0,
    "prompts": 1,
    "rubrics": 1,
    "lora": 1,
    "families": 1,
    "vision_encoders": 1,
    "storage": 1,
    "config": 1,
    "origins": 1,
    "provenance": 1,
    "readers": 1,
    "scoring": 1,
    "baselines": 1,
    "environment": 1,
    "plugins": 1,
    "services": 2,
    "toolkit": 3,
    "adapters": 4,
    "reporting": 4,
    "embedded": 4,
    "sharing": 4,
    "rewards": 4,
    "registration": 5,
    "launch": 5,
    "doctor": 5,
    "linked": 5,
    "loading": 5,
    "ui": 5,
    "cli": 6,
}
"""First part of a module's path -> its layer; a layer may import itself and those below."""
FILES = sorted(PACKAGE.rglob("*.py"))
FACE = PACKAGE / "__init__.py"
"""Everybody may import it, for the version; it offers ``load``, from far above, to type checkers and when asked."""


def imports_of(path):
    """Absolute dotted names that a file imports, with their lines."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    package = parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield name.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            module = ".".join([*base, node.module] if node.module else base)
            if node.level and not node.module:
                for name in node.names:
                    yield module + "." + name.name, node.lineno
            else:
                yield module, node.lineno


def layer_of(name):
    parts = name.split(".")
    return LAYERS[parts[1]] if len(parts) > 1 else LAYERS["__init__"]


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_a_file_imports_only_its_own_layer_and_those_below(path):
    own = max(LAYERS.values()) if path == FACE else layer_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    wrong = [
        f"line {line}: {name}"
        for name, line in imports_of(path)
        if name.split(".")[0] == "pefomed_plugin" and layer_of(name) > own
    ]
    assert not wrong


def outside(*rooms):
    """Files of the package that are in none of ``rooms``."""
    chosen = [path for path in FILES if not any(PACKAGE / room in path.parents for room in rooms)]
    return pytest.mark.parametrize("path", chosen, ids=[str(path.relative_to(PACKAGE)) for path in chosen])


@outside("toolkit")
def test_nothing_of_minigpt4_is_imported_outside_the_seam(path):
    assert not [name for name, _ in imports_of(path) if name.split(".")[0] == "minigpt4"]


@pytest.mark.parametrize("path", sorted((PACKAGE / "toolkit" / "bundled").glob("*.py")), ids=lambda path: path.name)
def test_the_bundled_toolkit_does_not_need_a_checkout(path):
    assert not [name for name, _ in imports_of(path) if name.split(".")[0] == "minigpt4"]


@outside("toolkit", "services")
def test_only_toolkit_and_services_know_which_toolkit_is_underneath(path):
    assert not [
        name
        for name, _ in imports_of(path)
        if name.startswith("pefomed_plugin.toolkit.bundled") or name.startswith("pefomed_plugin.toolkit.checkout")
    ]


def test_a_relative_import_is_resolved():
    """The parser above, on a file whose imports are known."""
    names = {name for name, _ in imports_of(PACKAGE / "adapters" / "data" / "builders.py")}
    assert {"pefomed_plugin.toolkit", "pefomed_plugin.readers", "pefomed_plugin.adapters.data.datasets"} <= names
    assert layer_of("pefomed_plugin.toolkit.bundled.vision") == LAYERS["toolkit"]
