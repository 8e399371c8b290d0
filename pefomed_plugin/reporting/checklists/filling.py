"""A guideline filled in from a run, as a table and as data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..results import Run
from ..table import GOOD, QUIET, Code, Column, Table
from . import of_data, of_model, of_results
from .facts import KNOWN, Known
from .item import Guideline, Item

_REGISTERED = (of_data, of_model, of_results)
"""Imported for what they register in ``KNOWN``."""


@dataclass(frozen=True)
class Answer:
    """What a run says of one item."""

    item: Item
    said: str
    """Empty: it knows nothing of it."""
    where: str
    """Files and commands that the text is from, below the run's folder."""
    whole: bool = True
    """Every fact that answers the item is known."""

    @property
    def state(self) -> str:
        """``filled``, ``partly`` (a person has to add something) or ``open``."""
        return ("partly" if self.left else "filled") if self.said else "open"

    @property
    def left(self) -> str:
        """What a person has to add; empty: nothing."""
        if not self.said:
            return (self.item.left if not self.item.known else "") or "all of it"
        return self.item.left or ("" if self.whole else "what the run did not record")


def fill(guideline: Guideline, run: Run) -> list[Answer]:
    """Every item of a guideline, in its order."""
    return [_answer(item, run) for item in guideline.items]


def _answer(item: Item, run: Run) -> Answer:
    by_key = [KNOWN[key](run) for key in item.known]
    found: list[Known] = [known for facts in by_key for known in facts]
    said = " ".join(dict.fromkeys(known.text for known in found))
    where = ", ".join(dict.fromkeys(place for known in found for place in _places(run, known.where)))
    return Answer(item, said, where, whole=all(by_key))


def _places(run: Run, where: str) -> Iterator[str]:
    """Where the named files are: answers of a run lie in a folder for each test set, those from elsewhere in one."""
    folders = [run.folder, *map(run.place_of, run.answered)]
    for name in where.split(", "):
        if name.startswith("docs/") or (run.folder / name).exists():
            yield name
            continue
        others = [folder / Path(name).name for folder in folders]
        yield from (path.relative_to(run.folder).as_posix() for path in others if path.exists())


def checklist_table(guideline: Guideline, answers: Sequence[Answer], *, whole: bool = True) -> Table:
    """One guideline as a table.

    Args:
        whole: with what the run says; without it for a terminal, where that takes pages.
    """
    said = [
        Column("what the run says", lambda answer: answer.said or "-"),
        Column("where it stands", lambda answer: Code(answer.where) if answer.where else "-"),
    ]
    columns = [
        Column("item", lambda answer: answer.item.number),
        Column("about", lambda answer: answer.item.topic),
        Column("state", lambda answer: answer.state),
        *(said if whole else [Column("where it stands", lambda answer: _first(answer.where))]),
        Column("left to you", lambda answer: answer.left or "-"),
    ]
    states = [answer.state for answer in answers]
    counted = ", ".join(f"{states.count(state)} {state}" for state in ("filled", "partly", "open"))
    return Table(
        f"{guideline.title}: {counted}",
        columns,
        answers,
        [f"Items are in our words, by their numbers in {guideline.source}. A form that a journal asks for is its own."],
        tone=lambda answer: {"filled": GOOD, "open": QUIET}.get(answer.state, ""),
    )


def _first(where: str) -> str:
    first, *others = where.split(", ")
    return f"{first or '-'}{f' and {len(others)} more' if others else ''}"


def as_data(answers: Sequence[Answer]) -> list[dict[str, Any]]:
    """For ``--json``."""
    return [
        {
            "item": answer.item.number,
            "about": answer.item.topic,
            "state": answer.state,
            "said": answer.said or None,
            "where": answer.where or None,
            "left": answer.left or None,
        }
        for answer in answers
    ]
