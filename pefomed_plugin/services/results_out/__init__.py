"""Predictions in the result formats of other projects: each declared once, with what it cannot carry.

``formats`` says which there are, ``writers`` makes the content of their files, ``studies`` has one answer a study for
those that want it. Reading them back is ``results_in``.
"""

from __future__ import annotations

from .formats import FORMATS_OUT, Given, PredictionFormat, find_format_out

__all__ = ["FORMATS_OUT", "Given", "PredictionFormat", "find_format_out"]
