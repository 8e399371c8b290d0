"""Reporting guidelines of the field, filled in from what a run knows of itself; the rest is left open by name.

A guideline is a list of ``Item``s, each in our own words with the number it has there. What a run can say of an item
comes from ``facts`` and what is registered there; no item is ever ticked because it is usual.
"""

from __future__ import annotations

from collections.abc import Mapping

from .claim import CLAIM
from .item import Guideline
from .tripod_llm import TRIPOD_LLM

GUIDELINES: Mapping[str, Guideline] = {guideline.name: guideline for guideline in (CLAIM, TRIPOD_LLM)}
