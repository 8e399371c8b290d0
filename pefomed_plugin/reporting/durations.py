"""How long a run takes on named cards, to print and as JSON. Computes nothing but what it costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ..services.memory.operations import READING
from .rendering import Shown
from .table import COUNT, FIGURE, Column, Table

if TYPE_CHECKING:
    from ..adapters.training.duration import Duration


def hours_view(
    found: Sequence[Duration], utilisation: float, price: float | None = None, shares_images: bool = False
) -> list[Shown]:
    """A row a kind of card; what is assumed below.

    Args:
        price: of one card for an hour, in any currency.
        shares_images: whether questions of an image come together, which leaves a card idle more.
    """
    columns = [
        Column("cards", lambda row: f"{row.cards} x {row.card.name}"),
        Column("samples trained", lambda row: row.trained_samples, COUNT),
        Column("training", lambda row: _in_words(row.training_s)),
        Column("answering", lambda row: _in_words(row.answering_s)),
        Column("card hours", lambda row: row.card_hours, FIGURE, digits=2),
    ]
    if price is not None:
        columns.append(Column("cost", lambda row: row.card_hours * price, FIGURE, digits=2))
    notes = [
        f"Arithmetic: in training {utilisation:.0%} of a card's 16-bit operations a second (an H200 reached 38 %, "
        f"batch of 6), in answering {READING:.0%} of its memory's speed; texts of the data sets' mean length.",
        *(
            f"{row.card.name}: {row.card.tera_flops:g} x 10^12 operations and {row.card.memory_gb_s:g} x 10^9 bytes a "
            f"second ({row.card.source})." + ("" if row.card.has_bf16 else " It has no bf16: runs take fp16 there.")
            for row in found
        ),
        "Loading of images, starting, checkpoints and waiting between cards are not counted (docs/memory.md).",
    ]
    if shares_images:
        notes.append(
            "Questions of an image come together: small batches leave a card idle (an H200 reached 9 % with 8 of one "
            "image, 32 % with 32 of four); say what yours reaches with --utilisation."
        )
    return [Table("time", columns, found, notes)]


def hours_data(found: Sequence[Duration], utilisation: float, price: float | None = None) -> list[dict[str, Any]]:
    """For ``--json``."""
    return [
        {
            "card": asdict(row.card),
            "cards": row.cards,
            "utilisation": utilisation,
            "trained_samples": row.trained_samples,
            "answered": row.answered,
            "training_s": row.training_s,
            "answering_s": row.answering_s,
            "card_hours": row.card_hours,
            "cost": None if price is None else row.card_hours * price,
        }
        for row in found
    ]


def time_in_words(seconds: float) -> str:
    """``42 s``, ``12 min``, ``3 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _in_words(seconds: float | None) -> str:
    return "none" if seconds is None else time_in_words(seconds)
