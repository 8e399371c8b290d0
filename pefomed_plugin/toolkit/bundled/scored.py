"""Slots that also say how likely each token was, and which others were: for a client that asks for it.

The tokens are those of ``greedy``. On a CPU nothing is computed where nobody asks; on a GPU it is part of the step,
whose work must always be the same.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Callable, NamedTuple

import torch

from .greedy import Answer, Slots
from .packing import Packed

TOP = 20
"""Most likely tokens that are told of each place."""


class Scored(NamedTuple):
    """What is known of one token of an answer."""

    logprob: float
    """Its natural logarithm."""
    top: list[tuple[int, float]]
    """The most likely tokens of its place with theirs, from the likeliest on."""


def scored(row: Sequence[float]) -> Scored:
    """One of ``Answer.scores``."""
    width = (len(row) - 1) // 2
    return Scored(row[0], [(int(token), value) for value, token in zip(row[1 : 1 + width], row[1 + width :])])


class ScoredSlots(Slots):
    """Slots that fill ``Answer.scores`` of those who ask: log-probabilities in float32.

    (S, 1 + 2 x TOP) numbers a step: a row is the token's own, then the likeliest ones', then which tokens these are.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._asks = False
        self._kept: torch.Tensor | None = None
        """(S, 1 + 2 x TOP), slot by slot; it stays where it is, as captured steps write into it."""

    @torch.no_grad()
    def enter(
        self,
        embeddings: torch.Tensor,
        layout: Packed,
        limit: int | Sequence[int],
        names: Sequence[Hashable] | None = None,
        scored: Sequence[bool] = (),
    ) -> list[Answer]:
        """As ``Slots.enter``; ``scored`` says of each question whether its tokens are (absent: none is)."""
        self._asks = any(scored)
        entered = super().enter(embeddings, layout, limit, names)
        self._asks = False
        for answer, is_wanted in zip(entered, scored):
            answer.scores = [] if is_wanted else None
        return entered

    def _choose(self, logits: torch.Tensor) -> torch.Tensor:
        tokens = super()._choose(logits)
        running = any(answer is not None and answer.scores is not None for answer in self._answers)
        if self._fixed_shapes or self._asks or running:
            likely = logits.float().log_softmax(-1)
            top = likely.topk(min(TOP, likely.shape[-1]))
            self._scores = torch.cat([likely.gather(-1, tokens[:, None]), top.values, top.indices.float()], -1)
        return tokens

    def _step(self, columns: int, filled: torch.Tensor | None = None) -> None:
        super()._step(columns, filled)
        if self._scores is None:
            return
        if self._kept is None:
            self._kept = self._scores.new_zeros(self.store.slots, self._scores.shape[1])
        if filled is None:
            self._kept.copy_(self._scores)
            self._scores = self._kept
        else:
            self._scores = self._kept.index_copy(0, filled, self._scores)

    def _take_step(self, step: Callable[[int], None], columns: int) -> None:
        super()._take_step(step, columns)
        self._scores = self._kept  # a captured step runs no Python
