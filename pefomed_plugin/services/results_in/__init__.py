"""Result files of other projects, recognised by their content, read as they write them, joined with our samples.

``formats`` declares each format once; ``json_formats``, ``tables`` and ``inspect_logs`` read; ``joining`` says which
sample an answer is about. What was checked of each project stands in docs/other-peoples-predictions.md.
"""

from __future__ import annotations

from .answers import Answer
from .formats import FORMATS, ResultFormat, find_format, recognise
from .joining import count_fitting, join_answers

__all__ = ["FORMATS", "Answer", "ResultFormat", "count_fitting", "find_format", "join_answers", "recognise"]
