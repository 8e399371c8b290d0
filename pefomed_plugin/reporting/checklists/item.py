"""What a reporting guideline and one of its items are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One thing that a study should report."""

    number: str
    """As the guideline has it."""
    topic: str
    """What it asks for, in our words."""
    known: Sequence[str] = ()
    """Keys of ``facts.KNOWN`` whose facts answer it; none: a run cannot know it."""
    left: str = ""
    """What a person has to add to what the run says."""


@dataclass(frozen=True)
class Guideline:
    """A reporting guideline."""

    name: str
    """For ``--guideline``."""
    title: str
    source: str
    items: Sequence[Item]
