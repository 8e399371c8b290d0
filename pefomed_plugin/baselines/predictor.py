"""What a predictor that does not look is, declared once beside its function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Optional

from ..readers.spec import TASKS
from ..records import Sample

Answers = Sequence[Optional[str]]
"""An answer for each sample asked; None where the predictor has nothing to go by."""


@dataclass(frozen=True)
class Predictor:
    """One way of answering from the training texts alone: no pixel is opened, no model is asked.

    Raises:
        ValueError: what is declared contradicts itself.
    """

    name: str
    """Registry name: letters, digits and ``_``."""
    title: str
    """What it answers with, in words, for tables: ``most frequent answer``."""
    function: Callable[[Sequence[Sample], Sequence[Sample]], Answers]
    """(training samples, samples asked) -> their answers, in their order. The references of those asked are blank."""
    tasks: tuple[str, ...] = ("vqa",)
    """``Sample.task`` of the samples that it answers."""
    falls_back_on: str = ""
    """The predictor whose answer is taken where it has nothing to go by; empty: it always has."""
    version: str = "1"
    """Changes whenever the same input could be answered differently."""

    def __post_init__(self) -> None:
        unknown = [task for task in self.tasks if task not in TASKS]
        if unknown or not self.tasks or self.falls_back_on == self.name:
            raise ValueError(f"predictor {self.name!r}: tasks {self.tasks}, falls back on {self.falls_back_on!r}")
