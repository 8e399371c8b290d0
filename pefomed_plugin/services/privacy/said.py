"""How files hand over their texts: a visitor is asked of each, and told what nobody looked at."""

from __future__ import annotations

from typing import Callable

Visit = Callable[[str, str, str], str]
"""``visit(text, place, field)``: what stands in its place from now on."""
Say = Callable[[str], None]
"""Told of what stands in the file and was not looked at."""


class NoText(Exception):
    """The file holds no text that can be read; says why."""


PROGRAMS = frozenset(
    {"openpyxl", "xlsxwriter", "python-docx", "pefomed", "pefomed_plugin", "microsoft office user", "unknown"}
)
"""What stands where a person's name should, and is none."""
