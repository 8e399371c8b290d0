"""Several questions of one image (or of the same images) behind one prefix, in one row. Integers only; no model.

A row is what its questions begin with, once: ``<s>``, the text before the image, V visual tokens (of each image where
there are several, with the text between them), and the instruction as far as it is the same; then for each question
the rest of its text and its answer. Every question sees the prefix and itself, at the positions it would have alone, so
that its loss is what it would be alone. A row with one question is an ordinary sequence. Rows are made where the data
are loaded, so that no step waits for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch

from ...prompts import IMAGE_PLACEHOLDER

PREFIX, PADDING = 0, -1
"""Segment numbers; the questions of a row are 1, 2, ..."""
NO_TARGET = -100


@dataclass(frozen=True)
class Packed:
    """G rows, I images of them; T tokens of the longest, R of all; W wanted places of the row with most, N of all."""

    token_ids: torch.Tensor
    """(G, T) int64; visual places and padding hold the padding id."""
    positions: torch.Tensor
    """(G, T) int64: position of each token in its own question's sequence."""
    segments: torch.Tensor
    """(G, T) int64: prefix, question number, or padding."""
    filled: torch.Tensor
    """(R,) int64: which of the G x T places hold a token, row by row."""
    visual_starts: torch.Tensor
    """(I,) int64: which of the G x T places holds the first visual token of each image, row by row."""
    wanted: torch.Tensor
    """(G, W) int64: columns whose output is needed, padded with 0: each predicts a token of an answer."""
    flat: torch.Tensor
    """(N,) int64: which of the G x W wanted places are no padding, sample by sample."""
    sources: torch.Tensor
    """(N,) int64: which of the R tokens each of these is."""
    targets: torch.Tensor
    """(N,) int64: the tokens to be predicted; ``NO_TARGET`` in generation."""
    owners: torch.Tensor
    """(N,) int64: which sample of the batch each wanted place belongs to."""
    samples: int
    """B: questions of all rows."""
    separately_padded_length: int
    """As ``PaddedRows.separately_padded_length``."""
    truncated_answers: int
    """How many answers were cut at the limit."""

    def to(self, device: Any, non_blocking: bool = False) -> Packed:
        """The same with its tensors on ``device``."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Packed:
        """The same in page-locked memory; called by torch's ``DataLoader``."""
        return self._map(lambda tensor: tensor.pin_memory())

    def _map(self, change: Any) -> Packed:
        values = {field_.name: getattr(self, field_.name) for field_ in fields(self)}
        return Packed(
            **{name: change(value) if isinstance(value, torch.Tensor) else value for name, value in values.items()}
        )


@dataclass(frozen=True)
class Packer:
    """Makes rows from prompts and answers; small enough to be sent to the processes that load data."""

    tokenizer: Any
    """Of ``families``."""
    prompt_template: str
    end_sym: str
    visual_tokens: int
    max_txt_len: int
    max_context_len: int

    def __call__(
        self, instruction_inputs: Sequence[str], answers: Sequence[str] | None, images: Sequence[Hashable]
    ) -> tuple[Packed, list[int]]:
        """Rows of a batch of B samples; samples of the same images share a row.

        Args:
            instruction_inputs: B texts with a placeholder for each of their images.
            answers: B answers to learn, or None for generation.
            images: B names, each of all images of its sample; equal ones are the same images in the same order.

        Returns:
            the rows, and for each the number of a sample that holds its images.

        Raises:
            ValueError: a text without image placeholder, or visual tokens that exceed the context.
        """
        rows: dict[Hashable, _Row] = {}
        for number, text in enumerate(instruction_inputs):
            before, behind = self._split(number, self.prompt_template.format(self.tokenizer.plain(text)))
            row = rows.setdefault((images[number], before), self._up_to_image(before))
            tail = self.tokenizer.encode(behind)[: self.max_context_len - (len(row.image) - len(self._begin))]
            answer = []
            if answers is not None:
                answer = self.tokenizer.encode(self.tokenizer.plain(answers[number]) + self.end_sym)
            row.questions.append(_Question(number, tail, answer[: self.max_txt_len], len(answer) > self.max_txt_len))
        return _together(list(rows.values()), self.tokenizer.pad_token_id), [
            row.questions[0].sample for row in rows.values()
        ]

    def _split(self, number: int, prompt: str) -> tuple[str, str]:
        """What stands before the last image and behind it."""
        before, found, behind = prompt.rpartition(IMAGE_PLACEHOLDER)
        if not found:
            raise ValueError(f"prompt {number} holds no image placeholder: {prompt[:80]!r}")
        return before, behind

    @property
    def _begin(self) -> list[int]:
        bos = self.tokenizer.bos_token_id
        return [] if bos is None else [bos]

    def _up_to_image(self, before: str) -> _Row:
        row, places = list(self._begin), []
        for text in before.split(IMAGE_PLACEHOLDER):
            row += self.tokenizer.encode(text)
            places.append(len(row))
            row += [self.tokenizer.pad_token_id] * self.visual_tokens
        if len(row) - len(self._begin) > self.max_context_len:
            raise ValueError(
                f"model.max_context_len: {self.max_context_len} leaves no room for "
                f"{len(places) * self.visual_tokens} visual tokens"
            )
        return _Row(row, places, [])


class _Question(NamedTuple):
    sample: int
    tail: list[int]
    """Its text behind the image."""
    answer: list[int]
    """To be predicted; empty in generation."""
    is_cut: bool


class _Row(NamedTuple):
    image: list[int]
    """Up to the last visual token."""
    visual: list[int]
    """Where the visual tokens of each image begin."""
    questions: list[_Question]


class _Tokens:
    """One row as it grows."""

    def __init__(self, prefix: list[int]) -> None:
        self.prefix = len(prefix)
        self.ids, self.positions, self.segments = list(prefix), list(range(len(prefix))), [PREFIX] * len(prefix)
        self.wanted: list[tuple[int, int, int]] = []
        """Sample, column, target."""

    def add(self, segment: int, sample: int, text: list[int], answer: list[int]) -> None:
        """Put a question behind the others; ``text`` is what the prefix does not hold of it."""
        start = len(self.ids)
        # the last answer token is only predicted, never read
        own = text + answer[:-1]
        self.ids += own
        self.positions += range(self.prefix, self.prefix + len(own))
        self.segments += [segment] * len(own)
        before_first = start + len(text) - 1 if text else self.prefix - 1
        columns = [before_first, *range(start + len(text), len(self.ids))]
        self.wanted += [(sample, column, target) for column, target in zip(columns, answer or [NO_TARGET])]


def _tokens(row: _Row) -> _Tokens:
    common = _common_start([question.tail for question in row.questions])
    tokens = _Tokens(row.image + common)
    for segment, question in enumerate(row.questions, 1):
        tokens.add(segment, question.sample, question.tail[len(common) :], question.answer)
    return tokens


def _common_start(texts: Sequence[list[int]]) -> list[int]:
    """What all texts begin with."""
    same = [len(set(column)) == 1 for column in zip(*texts)]
    return texts[0][: same.index(False) if False in same else len(same)]


def _together(rows: Sequence[_Row], pad: int) -> Packed:
    laid = [_tokens(row) for row in rows]
    length = max(len(row.ids) for row in laid)
    width = max(len(row.wanted) for row in laid)
    lengths = torch.tensor([len(row.ids) for row in laid])
    starts = (lengths.cumsum(0) - lengths).tolist()
    places = sorted(
        (sample, order, number * width + order, starts[number] + column, target)
        for number, row in enumerate(laid)
        for order, (sample, column, target) in enumerate(row.wanted)
    )
    wanted = torch.zeros((len(rows), width), dtype=torch.long)
    for number, row in enumerate(laid):
        wanted[number, : len(row.wanted)] = torch.tensor([column for _, column, _ in row.wanted])
    questions = [(len(row.image), question) for row in rows for question in row.questions]
    return Packed(
        token_ids=_padded([row.ids for row in laid], length, pad),
        positions=_padded([row.positions for row in laid], length, 0),
        segments=_padded([row.segments for row in laid], length, PADDING),
        filled=(torch.arange(length) < lengths[:, None]).flatten().nonzero()[:, 0],
        visual_starts=torch.tensor(
            [number * length + place for number, row in enumerate(rows) for place in row.visual]
        ),
        wanted=wanted,
        flat=torch.tensor([place[2] for place in places]),
        sources=torch.tensor([place[3] for place in places]),
        targets=torch.tensor([place[4] for place in places]),
        owners=torch.tensor([place[0] for place in places]),
        samples=len(questions),
        separately_padded_length=max(start + len(question.tail) for start, question in questions)
        + max(len(question.answer) for _, question in questions),
        truncated_answers=sum(question.is_cut for _, question in questions),
    )


def _padded(rows: Sequence[Sequence[int]], length: int, value: int) -> torch.Tensor:
    table = torch.full((len(rows), length), value, dtype=torch.long)
    for number, row in enumerate(rows):
        table[number, : len(row)] = torch.tensor(row)
    return table
