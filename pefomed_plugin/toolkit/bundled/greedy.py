"""Greedy decoding over packed rows: keys and values of the prefix once an image, its questions token by token."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from .decoder import Block, KeyValues, Places, Wanted, decode
from .packing import Packed


@torch.no_grad()
def greedy_tokens(
    language_model: Any, block: Block, embeddings: torch.Tensor, layout: Packed, limit: int, *, pad: int, end: int
) -> Iterator[torch.Tensor]:
    """The next token (B,) of every answer, until all have ended or ``limit`` tokens are there.

    Args:
        language_model: of transformers (``LlamaForCausalLM``), with LoRA or without.
        block: one layer of its family.
        embeddings: (G, T, H) of the rows of ``layout``, which was made without answers.
        pad: token behind an answer's end.
        end: token that ends an answer.
    """
    decoder, keys = language_model.model, Places(layout.positions, layout.segments)
    rows, slots = layout.wanted.shape  # of each row the last tokens of its questions
    past = KeyValues(embeddings.shape[1] + slots * limit)
    wanted = Wanted.of(layout)
    hidden = wanted.grid.spread(decode(decoder, block, embeddings, keys, wanted, filled=layout.filled, past=past))
    start = keys.positions.gather(1, layout.wanted) + 1
    segments = torch.arange(1, slots + 1, device=start.device).expand(rows, slots)
    finished = torch.ones(rows * slots, dtype=torch.bool, device=start.device)
    finished = finished.index_fill(0, layout.flat, False).view(rows, slots)
    for step in range(limit):
        tokens = language_model.lm_head(hidden).argmax(-1)
        yield tokens.masked_fill(finished, pad).flatten()[layout.flat]
        finished = finished | (tokens == end)
        if step + 1 == limit or bool(finished.all()):
            break
        queries = Places(start + step, segments)
        keys = keys.followed_by(queries)
        hidden = decode(
            decoder, block, decoder.embed_tokens(tokens).to(embeddings.dtype), queries, past=past, keys=keys
        ).unflatten(0, (rows, slots))
