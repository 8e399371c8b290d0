"""Prepared data in the forms of other programs (``pefomed share``): a declared ``ShareFormat`` each.

``inspect_task`` and ``lmms_task`` are what the written tasks of the two harnesses call when they run: they need our
core packages and the harness, no torch of ours.
"""

from __future__ import annotations

from .format import Shared, ShareFormat, ToShare
from .forms import FORMATS, find_format

__all__ = ["FORMATS", "ShareFormat", "Shared", "ToShare", "find_format"]
