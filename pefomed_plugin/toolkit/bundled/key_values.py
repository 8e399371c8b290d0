"""Keys and values of sequences that are being answered: one slot each, side by side, in memory that is taken once.

A token of position p lies in column p of its slot, so that what a token sees is the columns up to its own, and a token
that was put there and not kept is overwritten by the next. Shapes repeat: columns come in whole blocks.

Shapes: S slots of C columns, K key heads of width d; G rows of T places as in ``packing``.
"""

from __future__ import annotations

from functools import cache

import torch
from torch.nn import functional

from ...families.sizes import KEY_BLOCK


def in_blocks(columns: int) -> int:
    """``columns`` rounded up to whole blocks of ``KEY_BLOCK``."""
    return -(-columns // KEY_BLOCK) * KEY_BLOCK


class KeyValues:
    """Of every layer, keys and values (S, C, K, d); zeros at first, because what is not seen is still multiplied."""

    def __init__(self, slots: int) -> None:
        self.slots, self.columns = slots, 0
        self.version = 0
        """Another one as soon as the tensors lie elsewhere: what was captured with the old ones is void."""
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = []

    def reserve(self, columns: int) -> None:
        """Have at least so many columns; what they hold stays."""
        more = in_blocks(columns) - self.columns
        if more <= 0:
            return
        for number, (keys, values) in enumerate(self._layers):  # one after the other: twice the memory of one layer
            self._layers[number] = (_widened(keys, more), _widened(values, more))
        self.columns += more
        self.version += 1

    def put(self, layer: int, keys: torch.Tensor, values: torch.Tensor, targets: torch.Tensor) -> None:
        """Store (N, K, d) each at N of the S x C places."""
        if layer == len(self._layers):
            shape = (self.slots, self.columns, *keys.shape[1:])
            self._layers.append((keys.new_zeros(shape), values.new_zeros(shape)))
        for stored, new in zip(self._layers[layer], (keys, values)):
            stored.flatten(0, 1).index_copy_(0, targets, new)

    def first(self, layer: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The first columns of all slots as attention takes them, (S, K, columns, d) each; no copy."""
        keys, values = (stored[:, :columns].transpose(1, 2) for stored in self._layers[layer])
        return keys, values


class Filling:
    """``past`` of a layer that reads prompts in packed rows: each slot takes what its question sees of its row.

    Questions of one image share their prefix while it is read, and have a copy of it each afterwards.
    """

    def __init__(self, store: KeyValues, slots: torch.Tensor, sources: torch.Tensor) -> None:
        """``slots`` (N,) take the places ``sources`` (N, L) of the G x T for their first L columns."""
        columns = torch.arange(sources.shape[1], device=sources.device)
        self._store, self._sources = store, sources.flatten()
        self._targets = (slots[:, None] * store.columns + columns).flatten()

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep (G, K, T, d) each; they are all that there is to see."""
        seen, held = (_tokens(new).index_select(0, self._sources) for new in (keys, values))
        self._store.put(layer, seen, held, self._targets)
        return keys, values


class Continuing:
    """``past`` of a layer that reads Q more tokens in every slot."""

    def __init__(self, store: KeyValues, positions: torch.Tensor, columns: int) -> None:
        """``positions`` (S, Q) of the tokens; attention looks at the first ``columns``."""
        starts = torch.arange(store.slots, device=positions.device)[:, None] * store.columns
        self._store, self._columns = store, columns
        self._targets = (starts + positions).flatten()

    def append(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep (S, K, Q, d) each; what there is to see with them, (S, K, columns, d)."""
        self._store.put(layer, _tokens(keys), _tokens(values), self._targets)
        return self._store.first(layer, self._columns)


@cache
def leave_uncompiled() -> None:
    """Keep ``append`` out of compiled layers: there is one store for all, and each would be compiled for its number.

    Once, before something is compiled and not at import: it loads the compiler, which is as much again as torch.
    """
    Continuing.append = torch.compiler.disable(Continuing.append)  # type: ignore[method-assign]


def _tokens(heads: torch.Tensor) -> torch.Tensor:
    return heads.transpose(1, 2).flatten(0, 1)


def _widened(stored: torch.Tensor, columns: int) -> torch.Tensor:
    return functional.pad(stored, (0, 0, 0, 0, 0, columns))
