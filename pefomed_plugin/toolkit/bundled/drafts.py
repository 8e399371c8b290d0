"""What answers of the training data say next, as a guess that the model confirms or throws away.

Reports repeat each other. After the tokens that are there, the longest run of them that training answers hold says what
followed it most often, and how often; the guess goes on as long as it is likely enough. It is read together with the
token that is due, in one call, and of it is kept what the model says too: the tokens are the model's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from .greedy import Answer, Slots
from .key_values import in_blocks

DRAFT = 7
"""Guessed tokens a call at most."""
SURE = 0.7
"""On a CPU, where each token costs its share: how often training answers went on so. On a GPU all are read."""
LONGEST = 6
"""Tokens of context that are looked up at most; then fewer, down to one."""
MOST_TOKENS = 1_000_000
"""Of training answers that are read, the first ones: about 1 GB of dictionaries (0.9 kB a token of IU X-ray)."""
_START = -1


class Drafts:
    """Look-up of what follows; made once a run."""

    def __init__(self, answers: Iterable[Sequence[int]]) -> None:
        """``answers``: token ids, with the end, as many as ``MOST_TOKENS`` hold."""
        self.answers = tokens = 0
        """How many were read."""
        following: dict[tuple[int, ...], Counter[int]] = {}
        for ids in answers:
            if tokens + len(ids) > MOST_TOKENS:
                break
            self.answers, tokens = self.answers + 1, tokens + len(ids)
            row = [_START, *ids]
            for place in range(1, len(row)):
                for start in range(max(0, place - LONGEST), place):
                    following.setdefault(tuple(row[start:place]), Counter())[row[place]] += 1
        self._next: dict[tuple[int, ...], tuple[int, float]] = {}
        """Context -> what followed most often (of equals the first that was seen), and its share."""
        for context, counts in following.items():
            token, count = counts.most_common(1)[0]
            self._next[context] = token, count / sum(counts.values())

    def after(self, ids: Sequence[int], most: int, least: float) -> list[int]:
        """Up to ``most`` tokens that could follow an answer's ``ids``, as long as so many went on so (a share)."""
        row, likely = [_START, *ids][-LONGEST:], 1.0
        guess: list[int] = []
        while len(guess) < most:
            found = self._longest(row)
            if found is None or likely * found[1] < least:
                break
            guess.append(found[0])
            likely *= found[1]
            row = [*row, found[0]][-LONGEST:]
        return guess

    def _longest(self, row: Sequence[int]) -> tuple[int, float] | None:
        for start in range(len(row)):
            found = self._next.get(tuple(row[start:]))
            if found is not None:
                return found
        return None


class DraftedSlots(Slots):
    """Slots in which an answer can move by several tokens a step."""

    def __init__(self, *arguments: Any, drafts: Drafts) -> None:
        """As ``Slots``, and what guesses."""
        super().__init__(*arguments)
        self._drafts = drafts
        self._guesses: torch.Tensor | None = None

    @torch.no_grad()
    def advance(self) -> list[Answer]:
        """The next tokens of every answer: those of its guess that the model says too, and one more.

        What is guessed depends on what was said, so the host waits for the device once a step.
        """
        finished = self.read()
        running = self._running()
        if not running:
            return finished
        guesses = [self._guess(answer, 0.0 if self._fixed_shapes else SURE) for _, answer in running]
        said = iter(self._said([slot for slot, _ in running], guesses, self._columns(running)))
        moved = torch.zeros((self.store.slots, 1), dtype=torch.long)
        self.told.add(steps=1)
        for (slot, answer), guess in zip(running, guesses):
            new = self._confirmed(answer, guess, [next(said) for _ in guess])
            answer.asked += len(new)
            moved[slot] = len(new)
            self.told.add(calls=1, tokens=len(new), drafted=len(guess) - 1)
            for token in new:
                finished += self._take(answer, token)
        self._positions.add_(moved.to(self._positions.device, non_blocking=True))
        self._leave()
        return finished

    def _guess(self, answer: Answer, least: float) -> list[int]:
        """The last token and those that could follow it."""
        most = min(DRAFT, answer.limit - len(answer.ids) - 1)
        return [answer.ids[-1], *self._drafts.after(answer.ids, most, least)]

    def _said(self, slots: list[int], guesses: list[list[int]], columns: int) -> list[int]:
        """What the model says after each token of each guess."""
        width = DRAFT + 1 if self._fixed_shapes else max(map(len, guesses))
        tokens = torch.zeros((self.store.slots, width), dtype=torch.long)
        for slot, guess in zip(slots, guesses):
            tokens[slot, : len(guess)] = torch.tensor(guess)
        places = [slot * width + place for slot, guess in zip(slots, guesses) for place in range(len(guess))]
        seen = min(in_blocks(columns + width - 1), self.store.columns)
        if not self._fixed_shapes:
            return self._look(tokens, seen, torch.tensor(places)).tolist()
        if self._guesses is None:
            self._guesses = torch.zeros_like(tokens, device=self._tokens.device)
            self._heard = torch.zeros_like(self._guesses).flatten()
        self._guesses.copy_(tokens)
        self._take_step(self._hear, seen)
        said = self._heard.tolist()
        return [said[place] for place in places]

    def _hear(self, columns: int) -> None:
        """What the model says after every place of every slot, from tensors that stay into one that does."""
        assert self._guesses is not None
        self._heard.copy_(self._look(self._guesses, columns, None))

    def _confirmed(self, answer: Answer, guess: list[int], said: list[int]) -> list[int]:
        """The model's tokens up to the first that was guessed otherwise; those behind it were read in vain."""
        kept = 1
        while kept < len(guess) and said[kept - 1] == guess[kept] and guess[kept] not in self.ends:
            kept += 1
        return said[:kept]
