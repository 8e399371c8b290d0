"""docs/chat.md: its commands parse, its Python names what there is."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

from pefomed_plugin.adapters.medical_model import MedicalModel
from pefomed_plugin.cli import make_parser
from pefomed_plugin.loading import load

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "chat.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_commands_parse():
    lines = [
        line for language, text in BLOCKS for line in text.splitlines() if not language and line.startswith("pefomed ")
    ]
    assert len(lines) == 7
    for line in lines:
        words = shlex.split(line)[1:]
        assert make_parser([words[0]]).parse_args(words).command == words[0]


def test_the_python_calls_what_there_is():
    (code,) = [text for language, text in BLOCKS if language == "python"]
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    assert len(calls) == 7
    for call in calls:
        function = load if isinstance(call.func, ast.Name) else getattr(MedicalModel, call.func.attr)
        own = () if function is load else (None,)
        inspect.signature(function).bind(*own, *call.args, **{keyword.arg: keyword.value for keyword in call.keywords})
