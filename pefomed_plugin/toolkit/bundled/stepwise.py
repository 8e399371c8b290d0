"""Answers under somebody else's hand: he lets questions in, takes a step of all, and throws out whom nobody waits for.

What a server needs, whose questions come whenever they want; ``Generation.answers`` has its own order.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from .greedy import Answer
from .packing import Packed
from .scored import Scored, ScoredSlots, scored

if TYPE_CHECKING:
    from .generation import Generation


class Stepwise:
    """Slots of one model, for one thread."""

    def __init__(self, model: Generation, slots: int) -> None:
        self._model: Any = model
        self.slots = slots
        self._used = self._made()
        tokenizer = model.llama_tokenizer
        self._anchor = tokenizer.encode("a")
        self._ends = frozenset(tokenizer.stop_token_ids)

    @property
    def free(self) -> int:
        """How many questions have room."""
        return self._used.free

    @property
    def answer_mark(self) -> str:
        """Of a text that holds it, only what follows is the answer; empty where the model has none."""
        return self._model.prompt_style.answer_mark

    def reserve(self, columns: int) -> None:
        """Take memory for so many tokens a question now; behind the first question, which says of which kind."""
        self._used.store.reserve(columns)

    @torch.no_grad()
    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """What the frozen vision encoder makes of (B, 3, S, S); ``admit`` takes it in place of images."""
        return self._model.encode_vision(images.to(self._model.device))

    @torch.no_grad()
    def admit(
        self,
        images: torch.Tensor,
        layout: Packed,
        limits: Sequence[int],
        names: Sequence[Hashable],
        scored: Sequence[bool],
    ) -> list[Answer]:
        """Read the prompts of as many questions as are free at most; each has its first token on the way.

        Args:
            images: of the rows of ``layout``, which was made without answers.
            limits: most tokens of each answer.
            names: ``Answer.name`` of each.
            scored: whether ``Answer.scores`` is wanted.

        Raises:
            torch.cuda.OutOfMemoryError: nobody of them has entered; those who were there are as they were.
        """
        device = self._model.device
        embeddings, _ = self._model._embed_packed(images.to(device), placed := layout.to(device))
        return self._used.enter(embeddings, placed, limits, names, scored)

    def step(self) -> None:
        """The next token of every answer: ``ids`` grow, ``is_done`` says who has ended and left."""
        self._used.advance()

    def drop(self, answer: Answer) -> None:
        """End one as far as it is."""
        self._used.drop(answer)

    def clear(self) -> None:
        """Drop all, and give the memory of their keys and values back: after an error nothing is known of it."""
        self._used = self._made()

    def text(self, ids: Sequence[int]) -> str:
        """What tokens say up to the one that ends the answer, as they were generated."""
        ends = [place for place, token in enumerate(ids) if token in self._ends]
        return self._model.llama_tokenizer.decode(ids[: ends[0]] if ends else ids)

    def answer_of(self, text: str) -> str:
        """The answer in a text, as evaluation takes it."""
        return self._model.prompt_style.answer_of(text)

    def is_end(self, token: int) -> bool:
        """Whether a token ends an answer."""
        return token in self._ends

    def piece(self, token: int) -> str:
        """What a token adds to a text before it; U+FFFD for a part of a character."""
        decode = self._model.llama_tokenizer.decode
        return decode([*self._anchor, token])[len(decode(self._anchor)) :]

    def score(self, row: Sequence[float]) -> Scored:
        """One of ``Answer.scores``."""
        return scored(row)

    def _made(self) -> Any:
        model = self._model
        ends = model.llama_tokenizer.stop_token_ids
        return ScoredSlots(model._causal_lm(), model._block, self.slots, ends, model.compile_layers)
