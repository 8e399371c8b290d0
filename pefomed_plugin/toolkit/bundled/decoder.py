"""The language model's decoder over packed rows: transformers' own modules, our own order of work.

What it leaves out is what nobody looks at: padding, outputs of the last layer where no token is predicted, and
intermediate results that the backward pass can make again. What it computes equals transformers' own forward (1e-6,
float32).

Shapes: G rows of T places, R tokens in them; W wanted places a row, N in all; H width, A heads of d, K key heads.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Callable, NamedTuple, Protocol

import torch
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from ...families import LanguageModelFamily
from .key_values import leave_uncompiled
from .packing import PREFIX, Packed

Block = Callable[..., torch.Tensor]
"""One decoder layer; arguments as ``llama_block``."""


class Past(Protocol):
    """Keys and values beyond a call (``key_values``)."""

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep those of this call, (G, K, T, d) each; all that can be seen, (G, K, columns, d) each."""


class Places(NamedTuple):
    """Where tokens are: position in the sequence of their own question, and which question, each (G, T)."""

    positions: torch.Tensor
    segments: torch.Tensor


class Grid(NamedTuple):
    """G rows of T places, of which some hold a token. Attention needs the rows, all other work the tokens alone."""

    shape: tuple[int, int]
    filled: torch.Tensor | None = None
    """(R,): places that hold one; absent: all do."""

    def spread(self, tokens: torch.Tensor) -> torch.Tensor:
        """(R, H) as (G, T, H), zero where there is none."""
        if self.filled is not None:
            empty = tokens.new_zeros(self.shape[0] * self.shape[1], tokens.shape[1])
            tokens = empty.index_copy(0, self.filled, tokens)
        return tokens.unflatten(0, self.shape)

    def collect(self, rows: torch.Tensor) -> torch.Tensor:
        """(G, T, H) as (R, H)."""
        places = rows.flatten(0, 1)
        return places if self.filled is None else places.index_select(0, self.filled)


class Wanted(NamedTuple):
    """Where outputs are looked at."""

    columns: torch.Tensor
    """(G, W), padded with any column."""
    grid: Grid
    """Which of these are wanted, N."""
    sources: torch.Tensor
    """(N,): which of the R tokens each is."""

    @classmethod
    def of(cls, layout: Packed) -> Wanted:
        """Those of a layout."""
        return cls(layout.wanted, Grid((layout.wanted.shape[0], layout.wanted.shape[1]), layout.flat), layout.sources)


def visibility(places: Places, dtype: torch.dtype) -> torch.Tensor:
    """What each token of packed rows sees, (G, 1, T, T): the prefix and its own question.

    Padding sees the prefix, so that no row of scores is empty; nothing sees padding.
    """
    positions, segments = places
    same = (segments[:, None] == PREFIX) | (segments[:, None] == segments[:, :, None])
    return as_scores(same & (positions[:, None] <= positions[:, :, None]) & (segments[:, None] >= PREFIX), dtype)


def as_scores(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Which columns each query sees, (G, queries, columns), as what is added to the scores of all heads."""
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, torch.finfo(dtype).min)[:, None]


def decode(
    decoder: Any,
    block: Block,
    embeddings: torch.Tensor,
    places: Places,
    wanted: Wanted | None = None,
    *,
    filled: torch.Tensor | None = None,
    past: Past | None = None,
    mask: torch.Tensor | None = None,
    recompute: bool = False,
    compiled: bool = False,
) -> torch.Tensor:
    """Outputs after the final norm: at the wanted places (N, H), or of all tokens (R, H).

    Args:
        decoder: body of the language model (``LlamaModel`` of transformers), with LoRA or without.
        block: one layer of its family.
        embeddings: (G, T, H).
        places: of the embeddings.
        filled: (R,) which of the G x T places hold a token; absent: all.
        past: keeps the keys and values, and gives those that can be seen.
        mask: what each token sees, as of ``as_scores``; absent: of its row what ``visibility`` says.
        recompute: keep only each layer's input and compute the layer again in the backward pass.
        compiled: let torch compile the layer, once for all layers but the last and all lengths. torch compiles it anew
            for one row or several and for rows with padding or without: four times at most, of eight it allows.
    """
    each_layer = _compiled(block) if compiled else block
    rotation = decoder.rotary_emb(embeddings, position_ids=places.positions)
    mask = visibility(places, embeddings.dtype) if mask is None else mask
    shape = (embeddings.shape[0], embeddings.shape[1])
    grid = Grid(shape, None if filled is None or len(filled) == shape[0] * shape[1] else filled)
    hidden, last = grid.collect(embeddings), len(decoder.layers) - 1
    for number, layer in enumerate(decoder.layers):
        own = wanted if number == last else None
        # one that is wanted of is of another shape, and compiled by itself would cost more than it brings
        one_layer = each_layer if own is None else block
        arguments = (layer, number, hidden, grid, rotation, mask, own, past)
        hidden = checkpoint(one_layer, *arguments, use_reentrant=False) if recompute else one_layer(*arguments)
    return _norm(decoder.norm, hidden)


def llama_block(
    layer: Any,
    number: int,
    hidden: torch.Tensor,
    grid: Grid,
    rotation: tuple[torch.Tensor, torch.Tensor],
    mask: torch.Tensor,
    wanted: Wanted | None,
    past: Past | None,
    query_norm: Any = None,
    key_norm: Any = None,
) -> torch.Tensor:
    """A layer of LLaMA and of Qwen2: norm, rotated grouped-query attention, norm, SwiGLU.

    Args:
        layer: ``LlamaDecoderLayer`` of transformers, or one with the same modules; biases are its modules' own.
        number: which of the layers it is.
        hidden: (R, H).
        grid: where in the rows the R tokens lie.
        rotation: cosines and sines (G, T, d).
        mask: of ``visibility``.
        wanted: in the last layer, where outputs are looked at.
        past: keeps the keys and values, and gives those that can be seen.
        query_norm: of each head of the queries, before it is rotated; None: there is none.
        key_norm: of the keys'.

    Returns:
        (R, H), or (N, H) where ``wanted`` is given.
    """
    attention = layer.self_attn
    normed = _norm(layer.input_layernorm, hidden)
    width = attention.head_dim
    keys = _rotate(_heads(grid.spread(_by_head(key_norm, attention.k_proj(normed), width)), width), rotation)
    values = _heads(grid.spread(attention.v_proj(normed)), width)
    if wanted is not None:
        hidden, normed = (tokens.index_select(0, wanted.sources) for tokens in (hidden, normed))
        grid = wanted.grid
        rotation = (_take(rotation[0], wanted.columns), _take(rotation[1], wanted.columns))
        mask = mask.gather(2, wanted.columns[:, None, :, None].expand(-1, -1, -1, mask.shape[3]))
    queries = _rotate(_heads(grid.spread(_by_head(query_norm, attention.q_proj(normed), width)), width), rotation)
    if past is not None:
        keys, values = past.append(number, keys, values)
    seen = functional.scaled_dot_product_attention(
        queries, keys, values, attn_mask=mask, scale=attention.scaling, enable_gqa=keys.shape[1] != queries.shape[1]
    )
    hidden = hidden + attention.o_proj(grid.collect(seen.transpose(1, 2).flatten(2)))
    normed = _norm(layer.post_attention_layernorm, hidden)
    gated: Any = _SwiGlu.apply(layer.mlp.gate_proj(normed), layer.mlp.up_proj(normed))
    return hidden + layer.mlp.down_proj(gated)


def qwen3_block(layer: Any, *arguments: Any) -> torch.Tensor:
    """A layer of Qwen3: LLaMA's, in which each head of queries and keys is normalised before it is rotated."""
    attention = layer.self_attn
    norms = {"query_norm": attention.q_norm, "key_norm": attention.k_norm}
    return llama_block(layer, *arguments, **norms)


BLOCKS: dict[str, Block] = {"llama": llama_block, "qwen3": qwen3_block}
"""What ``block`` of a family may be: name -> one layer."""


def block_of(family: LanguageModelFamily) -> Block:
    """The function of one decoder layer of a family."""
    return BLOCKS[family.block] if isinstance(family.block, str) else family.block


@lru_cache(maxsize=1)
def _compiled(block: Block) -> Block:
    leave_uncompiled()
    return torch.compile(block, dynamic=True)


def _heads(projected: torch.Tensor, width: int) -> torch.Tensor:
    return projected.unflatten(2, (-1, width)).transpose(1, 2)


def _by_head(norm: Any, tokens: torch.Tensor, width: int) -> torch.Tensor:
    """(R, heads x d), each head normalised by itself; as it is without a norm."""
    return tokens if norm is None else _norm(norm, tokens.unflatten(1, (-1, width))).flatten(1)


def _rotate(heads: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    cos, sin = (angles[:, None].to(heads.dtype) for angles in rotation)
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat((-second, first), dim=-1) * sin


def _take(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    return rows.gather(1, columns[..., None].expand(-1, -1, rows.shape[2]))


def _norm(module: Any, hidden: torch.Tensor) -> torch.Tensor:
    normed: Any = _RmsNorm.apply(hidden, module.variance_epsilon)
    return module.weight * normed


class _RmsNorm(torch.autograd.Function):
    """Root mean square norm in float32 that keeps its input as it came, and one number a token besides."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, eps: float) -> torch.Tensor:
        wide = hidden.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(hidden, scale)
        return (wide * scale).to(hidden.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        hidden, scale = ctx.saved_tensors
        normed, grad = hidden.float() * scale, grads[0].float()
        return (scale * (grad - normed * (grad * normed).mean(-1, keepdim=True))).to(hidden.dtype), None


class _SwiGlu(torch.autograd.Function):
    """``silu(gate) * up`` that keeps its two inputs only."""

    @staticmethod
    def forward(ctx: Any, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(gate, up)
        return functional.silu(gate) * up

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(grads[0] * up, gate), grads[0] * functional.silu(gate)
