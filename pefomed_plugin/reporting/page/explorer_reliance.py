"""What the page shows of answers about other images: the figures of a test set, and each sample's answers. No HTML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...scoring.reliance import ANSWER, VARIANTS, pair_variants, reliance_of
from ...services.images.overlay import place_in_words
from ..reliance import reliance_table
from ..rendering import to_page
from ..results import Answered, Run

SHORTCUT, STAYS, NOT_FOLLOWED = "shortcut", "stays", "not_followed"
KINDS = {
    SHORTCUT: "right without looking",
    STAYS: "same answer whatever is shown",
    NOT_FOLLOWED: "side not exchanged when mirrored",
    "mapped": "explained by a map",
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


def occlusion_of(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The map of one answer, with its strongest cell in words for those who do not see it."""
    if found is None:
        return None
    drops = found["drops"]
    most, row, column = max((value, row, column) for row, line in enumerate(drops) for column, value in enumerate(line))
    lean = place_in_words(len(drops), row, column) if most > 0 else None
    return {"drops": [[round(value, 3) for value in line] for line in drops], "strongest": [row, column], "place": lean}
