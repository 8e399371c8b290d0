"""Greedy answers in slots: a question that is answered leaves, and a waiting one takes its place.

Prompts are read in packed rows, so that the questions of an image read its prefix once; then every slot goes on by
itself. A step is a function of tensors that stay where they are (``_step``): their shapes depend on the number of slots
and on the block of columns alone, and nothing in it waits for the host. On a GPU the host reads the tokens of a step
while the next one is computed already, so an answer is known to have ended one step late; that step is thrown away.

Shapes: S slots, B questions that enter, H width.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple

import torch

from .decoder import Block, Places, Wanted, as_scores, decode
from .graphs import StepGraphs
from .key_values import Continuing, Filling, KeyValues, in_blocks
from .packing import PREFIX, Packed


@dataclass(eq=False)
class Answer:
    """One question on its way."""

    name: Hashable
    """What the caller knows it by."""
    prompt: int
    """Its length in tokens, or that of the longest it came with."""
    limit: int
    """Most tokens of the answer."""
    ids: list[int] = field(default_factory=list)
    """As far as it is; the last is the token that ends it, unless the limit does."""
    asked: int = 0
    """Tokens that were asked for; the last ones may not be known yet."""
    is_done: bool = False
    scores: list[list[float]] | None = None
    """Of each token what ``scored`` says of it; None where nobody asked."""


@dataclass
class Counted:
    """What answering took so far."""

    steps: int = 0
    """Times that the language model was called; a call reads prompts, or goes on in all slots."""
    calls: int = 0
    """The same, once for each answer that was under way in it."""
    tokens: int = 0
    """Of answers."""
    drafted: int = 0
    """Guessed tokens that were read."""

    def add(self, **more: int) -> None:
        """Count them too."""
        for name, number in more.items():
            setattr(self, name, getattr(self, name) + number)


class _Unread(NamedTuple):
    """Tokens on their way to the host, and whose they are."""

    tokens: torch.Tensor
    places: list[tuple[int, Answer]]
    """Index into ``tokens``, answer."""
    event: Any
    """Of CUDA: the copy is there; None where it is at once."""
    scores: torch.Tensor | None
    """Of each token what ``scored`` says of it, on the host too."""


class Slots:
    """Questions that are answered side by side, and their keys and values."""

    def __init__(
        self, language_model: Any, block: Block, count: int, ends: Sequence[int], compiled: bool = False
    ) -> None:
        """Empty slots.

        Args:
            language_model: of transformers (``LlamaForCausalLM``), with LoRA or without.
            block: one layer of its family.
            count: S.
            ends: tokens of which each ends an answer.
            compiled: on a GPU, let torch compile the layer of a step; prompts are read as they are.
        """
        self.compiled = compiled
        self.language_model, self.block, self.ends = language_model, block, frozenset(ends)
        self.store = KeyValues(count)
        self.told = Counted()
        self._answers: list[Answer | None] = [None] * count
        self._unread: deque[_Unread] = deque()
        self._scores: torch.Tensor | None = None
        """Of the tokens that are sent next; of ``scored`` alone."""
        self._graphs = StepGraphs()

    @property
    def free(self) -> int:
        """How many slots nobody has."""
        return self._answers.count(None)

    @property
    def is_idle(self) -> bool:
        """Whether nobody has any."""
        return self.free == self.store.slots

    def clear(self) -> None:
        """Drop whatever is under way."""
        self._answers = [None] * self.store.slots
        self._unread.clear()
        self.told = Counted()

    def drop(self, answer: Answer) -> None:
        """End an answer as far as it is; its slot is free."""
        answer.is_done = True
        self._leave()

    @torch.no_grad()
    def enter(
        self,
        embeddings: torch.Tensor,
        layout: Packed,
        limit: int | Sequence[int],
        names: Sequence[Hashable] | None = None,
    ) -> list[Answer]:
        """Read the prompts of B questions into free slots; their answers, to which tokens will come.

        Args:
            embeddings: (G, T, H) of the rows of ``layout``, which was made without answers.
            limit: most tokens of an answer, or of each.
            names: what the answers are known by; absent: 0, 1, ...

        Raises:
            ValueError: more questions than free slots.
        """
        chosen = [slot for slot, answer in enumerate(self._answers) if answer is None][: layout.samples]
        if len(chosen) < layout.samples:
            raise ValueError(f"{layout.samples} questions, but {len(chosen)} free slots")
        limits = [limit] * layout.samples if isinstance(limit, int) else list(limit)
        longest, device = layout.separately_padded_length, embeddings.device
        if self.store.columns == 0:
            self._tokens = torch.zeros((self.store.slots, 1), dtype=torch.long, device=device)
            self._positions = torch.zeros((self.store.slots, 1), dtype=torch.long, device=device)
            self._dtype = embeddings.dtype
        self.store.reserve(longest + max(limits))
        slots = torch.tensor(chosen).to(device, non_blocking=True)
        sources, ends = _seen(layout, longest)
        first = self._next(
            embeddings,
            Places(layout.positions, layout.segments),
            Filling(self.store, slots, sources),
            wanted=Wanted.of(layout),
            filled=layout.filled,
        )
        self._tokens.index_copy_(0, slots, first[:, None])
        self._positions.index_copy_(0, slots, ends[:, None] + 1)
        entered = [Answer(name, longest, most) for name, most in zip(names or range(layout.samples), limits)]
        for slot, answer in zip(chosen, entered):
            self._answers[slot] = answer
        self._send(first, list(enumerate(entered)))
        return entered

    @torch.no_grad()
    def advance(self) -> list[Answer]:
        """Ask for the next token of every answer and read those that are there; answers that have ended by them."""
        finished = [] if self._lag else self.read()
        running, behind = self._running(), 0
        if running:
            columns = in_blocks(self._columns(running))
            if self._fixed_shapes:
                self._take_step(self._step, columns)
            else:
                self._step(columns, self._places(running))
            self._send(self._tokens[:, 0], running)
            behind = self._lag
        return finished + self.read(behind)

    def read(self, behind: int = 0) -> list[Answer]:
        """Take in all tokens that were asked for but those of the last steps; the answers that end with them leave."""
        finished: list[Answer] = []
        while len(self._unread) > behind:
            finished += self._read_step()
        return finished

    def _take_step(self, step: Callable[[int], None], columns: int) -> None:
        """Take a step of fixed shapes, always the same one in these slots; on a GPU as a graph."""
        if self._tokens.device.type == "cuda":
            self._graphs.take(step, columns, self.store.version)
        else:
            step(columns)

    def _running(self) -> list[tuple[int, Answer]]:
        return [
            (slot, answer)
            for slot, answer in enumerate(self._answers)
            if answer is not None and answer.asked < answer.limit
        ]

    def _columns(self, running: list[tuple[int, Answer]]) -> int:
        """As many as the longest of them has by now."""
        return max(answer.prompt + answer.asked for _, answer in running)

    def _step(self, columns: int, filled: torch.Tensor | None = None) -> None:
        """One more token in every slot, from the tokens and positions that are there to those of the next step.

        A function of tensors whose addresses change with ``store.version`` alone; ``filled`` is absent on a GPU. Free
        slots go on too: what they write is seen by nobody.
        """
        tokens = self._look(self._tokens, columns, filled)
        if filled is None:
            self._tokens.copy_(tokens[:, None])
        else:
            self._tokens.index_copy_(0, filled, tokens[:, None])
        self._positions.add_(1).clamp_(max=self.store.columns - 1)

    def _look(self, tokens: torch.Tensor, columns: int, filled: torch.Tensor | None) -> torch.Tensor:
        """What follows each of the tokens (S, Q), of which the first lies at its slot's position; flat, the filled."""
        positions = self._positions
        if tokens.shape[1] > 1:
            ahead = torch.arange(tokens.shape[1], device=tokens.device)
            positions = (positions + ahead).clamp_(max=self.store.columns - 1)
        seen = torch.arange(columns, device=tokens.device) <= positions[..., None]
        return self._next(
            self.language_model.model.embed_tokens(tokens).to(self._dtype),
            Places(positions, positions),
            Continuing(self.store, positions, columns),
            mask=as_scores(seen, self._dtype),
            filled=filled,
            compiled=self.compiled and self._fixed_shapes,
        )

    def _next(self, embeddings: torch.Tensor, places: Places, past: Any, **settings: Any) -> torch.Tensor:
        model = self.language_model
        return self._choose(model.lm_head(decode(model.model, self.block, embeddings, places, past=past, **settings)))

    def _choose(self, logits: torch.Tensor) -> torch.Tensor:
        """The token that follows each place, of (N, pieces)."""
        return logits.argmax(-1)

    def _places(self, running: list[tuple[int, Answer]]) -> torch.Tensor | None:
        """Slots to compute, as far as not all are."""
        if len(running) == self.store.slots:
            return None
        return torch.tensor([slot for slot, _ in running])

    @property
    def _fixed_shapes(self) -> bool:
        """Whether free slots are computed too: on a GPU a shape that repeats is worth more than a row."""
        return self._tokens.device.type != "cpu"

    @property
    def _lag(self) -> int:
        return int(self._tokens.device.type == "cuda")

    def _send(self, tokens: torch.Tensor, places: list[tuple[int, Answer]]) -> None:
        for _, answer in places:
            answer.asked += 1
        self.told.add(steps=1, calls=len(places), tokens=len(places))
        scores, self._scores = self._scores, None
        event = None
        if tokens.device.type == "cuda":
            tokens = tokens.to("cpu", non_blocking=True)
            scores = None if scores is None else scores.to("cpu", non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        else:
            tokens = tokens.clone()
            scores = None if scores is None else scores.clone()
        self._unread.append(_Unread(tokens, places, event, scores))

    def _read_step(self) -> list[Answer]:
        tokens, places, event, scores = self._unread.popleft()
        if event is not None:
            event.synchronize()
        ids = tokens.tolist()
        finished = []
        for place, answer in places:
            if answer.is_done:
                continue
            if scores is not None and answer.scores is not None:
                answer.scores.append(scores[place].tolist())
            finished += self._take(answer, ids[place])
        self._leave()
        return finished

    def _take(self, answer: Answer, token: int) -> list[Answer]:
        """One more token; the answer, if that ends it."""
        answer.ids.append(token)
        answer.is_done = token in self.ends or len(answer.ids) == answer.limit
        return [answer] if answer.is_done else []

    def _leave(self) -> None:
        self._answers = [None if answer is None or answer.is_done else answer for answer in self._answers]


def _seen(layout: Packed, longest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Where in the G x T places the tokens of each question's own sequence lie (B, longest), and its last position.

    Behind its end its last token comes again and again; no one will see that.
    """
    width = layout.wanted.shape[1]
    rows, columns = layout.flat // width, layout.wanted.flatten()[layout.flat]
    ends = layout.positions[rows, columns]
    prefix = (layout.segments == PREFIX).sum(1)[rows]
    own = torch.arange(longest, device=columns.device)
    inside = torch.where(own < prefix[:, None], own, own + (columns - ends)[:, None])
    return rows[:, None] * layout.token_ids.shape[1] + torch.minimum(inside, columns[:, None]), ends
