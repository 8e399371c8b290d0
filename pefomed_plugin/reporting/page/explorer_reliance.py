"""What the page shows of answers about other images: the figures of a test set, and each sample's answers. No HTML."""

from __future__ import annotations

from typing import Any

from ...scoring.reliance import ANSWER, VARIANTS, pair_variants, reliance_of
from ..reliance import reliance_table
from ..rendering import to_page
from ..results import Answered, Run

SHORTCUT, STAYS, NOT_FOLLOWED = "shortcut", "stays", "not_followed"
KINDS = {
    SHORTCUT: "right without looking",
    STAYS: "same answer whatever is shown",
    NOT_FOLLOWED: "side not exchanged when mirrored",
}
"""What answers can be filtered by."""


def reliance_data(run: Run, answered: Answered) -> dict[str, Any] | None:
    """Figures of one test set; None where they were not measured."""
    if not answered.reliance:
        return None
    return {"table": to_page(reliance_table(answered.key, {run.name: answered.reliance}))}


class SampleReliance:
    """What was said about other images, answer by answer of a test set."""

    def __init__(self, answered: Answered, texts: bool) -> None:
        self._texts = texts
        self._rows = pair_variants(answered.predictions, answered.variants) if answered.variants else []

    def of(self, place: int) -> list[Any] | None:
        """The texts, in the order of ``VARIANTS``, and of which ``KINDS`` it is; None where nothing was asked again."""
        if not self._rows:
            return None
        own, others = self._rows[place]
        found = reliance_of(own, others)
        kinds = {
            SHORTCUT: found.is_shortcut,
            STAYS: not any(found.changed.values()),
            NOT_FOLLOWED: found.side == ANSWER and found.followed is False,
        }
        texts = [others[variant].prediction if variant in others and self._texts else None for variant in VARIANTS]
        return [texts, [kind for kind, is_so in kinds.items() if is_so]]
