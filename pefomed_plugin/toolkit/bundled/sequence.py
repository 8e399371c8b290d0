"""How a batch of prompts, images and answers lies in one sequence of tokens. Integers only; no model, no tokenizer.

``<s>`` + text before the image + V visual tokens + text behind it + answer + end, padded on the right; of several
images each stands where its placeholder is. The segments are tokenised apart, as MiniGPT-v2 does; only the answer
carries loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

import torch


@dataclass(frozen=True)
class PaddedRows:
    """A laid-out batch: B samples, T tokens of the longest."""

    token_ids: torch.Tensor
    """(B, T) int64; visual places and padding hold the padding id."""
    visual_positions: torch.Tensor
    """(B, T) bool: where the visual tokens go."""
    visual_counts: torch.Tensor
    """(I,) visual tokens of each image, row by row: fewer than V, or none, where the context ends before."""
    prompt_lengths: torch.Tensor
    """(B,) tokens of ``<s>`` and prompt."""
    lengths: torch.Tensor
    """(B,) tokens of prompt and answer."""
    separately_padded_length: int
    """T as upstream pads it: longest prompt and longest answer added; its ``reduction="none"`` divides by this."""
    truncated_answers: int
    """How many answers were cut at the limit."""

    def attention_mask(self) -> torch.Tensor:
        """(B, T) int64: 1 for tokens, 0 for padding."""
        return (torch.arange(self.token_ids.shape[1])[None] < self.lengths[:, None]).long()

    def answer_positions(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and columns of all answer tokens, row by row."""
        columns = torch.arange(self.token_ids.shape[1])[None]
        is_answer = (columns >= self.prompt_lengths[:, None]) & (columns < self.lengths[:, None])
        rows, columns = torch.nonzero(is_answer, as_tuple=True)
        return rows, columns


def lay_out(
    prompts: Sequence[str],
    answers: Sequence[str] | None,
    *,
    tokenize: Callable[[str], list[int]],
    end_sym: str,
    placeholder: str,
    visual_tokens: int,
    bos: int | None,
    pad: int,
    max_answer: int,
    max_context: int,
) -> PaddedRows:
    """Lay out B prompts, with their answers for training or without for generation; None for ``bos``: it is left out.

    Raises:
        ValueError: a prompt without image placeholder.
    """
    rows: list[list[int]] = []
    visual: list[tuple[int, int, int]] = []
    """Row, and the columns of an image's tokens from the first to the one behind the last."""
    prompt_lengths, answer_lengths, truncated = [], [], 0
    for number, prompt in enumerate(prompts):
        *before, behind = prompt.split(placeholder)
        if not before:
            raise ValueError(f"prompt {number} holds no image placeholder: {prompt[:80]!r}")
        begin = [] if bos is None else [bos]
        context, starts = list(begin), []
        for text in before:
            context += tokenize(text)
            starts.append(len(context))
            context += [pad] * visual_tokens
        context = (context + tokenize(behind))[: len(begin) + max_context]
        answer = tokenize(answers[number] + end_sym) if answers is not None else []
        truncated += len(answer) > max_answer
        rows.append(context + answer[:max_answer])
        ends = [min(start + visual_tokens, len(context)) for start in starts]
        visual += [(number, min(start, end), end) for start, end in zip(starts, ends)]
        prompt_lengths.append(len(context))
        answer_lengths.append(min(len(answer), max_answer))
    longest = max(len(row) for row in rows)
    token_ids = torch.full((len(rows), longest), pad, dtype=torch.long)
    places = torch.zeros((len(rows), longest), dtype=torch.bool)
    for number, row in enumerate(rows):
        token_ids[number, : len(row)] = torch.tensor(row)
    for number, start, end in visual:
        places[number, start:end] = True
    return PaddedRows(
        token_ids,
        places,
        torch.tensor([end - start for _, start, end in visual]),
        torch.tensor(prompt_lengths),
        torch.tensor([len(row) for row in rows]),
        max(prompt_lengths) + max(answer_lengths),
        truncated,
    )


def pad_left(embeddings: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded (B, T, H) moved to the right edge, with its mask (B, T): generation continues at the end."""
    longest = embeddings.shape[1]
    shifted = torch.zeros_like(embeddings)
    mask = torch.zeros(embeddings.shape[:2], dtype=torch.long, device=embeddings.device)
    for row, length in enumerate(lengths.tolist()):
        shifted[row, longest - length :] = embeddings[row, :length]
        mask[row, longest - length :] = 1
    return shifted, mask
