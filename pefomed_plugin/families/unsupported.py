"""What a ``config.json`` can ask for that the decoder here would compute wrong, and so is refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROPE_TYPES = ("default", "linear", "llama3", "yarn")
"""Rotations whose angles depend on a token's own position alone: those of packed rows are those of separate ones.
``dynamic`` and ``longrope`` depend on the longest of a batch."""


def rope_type(config: Mapping[str, Any]) -> str:
    """The kind of rotation, under the names of transformers 4 (``rope_scaling``) and 5 (``rope_parameters``)."""
    for key in ("rope_parameters", "rope_scaling"):
        found = config.get(key)
        if isinstance(found, Mapping):
            return str(found.get("rope_type") or found.get("type") or "default")
    return "default"


def unsupported(config: Mapping[str, Any]) -> list[str]:
    """A line for everything that a layer like LLaMA's over packed rows does not compute."""
    problems = []
    kinds = {str(kind) for kind in config.get("layer_types") or ()} - {"full_attention"}
    if config.get("use_sliding_window") or kinds:
        told = f"layer_types: {', '.join(sorted(kinds))}" if kinds else "use_sliding_window: true"
        problems.append(f"{told}: every token sees all before it here; take weights without a sliding window")
    if rope_type(config) not in ROPE_TYPES:
        problems.append(f"rope type {rope_type(config)!r}; supported: {', '.join(ROPE_TYPES)}")
    partial = (config.get("rope_parameters") or {}).get("partial_rotary_factor", config.get("partial_rotary_factor"))
    if partial not in (None, 1, 1.0):
        problems.append(f"partial_rotary_factor: {partial}: heads are rotated whole here")
    if config.get("hidden_act", "silu") not in ("silu", "swish"):
        problems.append(f"hidden_act: {config['hidden_act']}: the MLP here is SwiGLU, silu")
    if config.get("num_experts") or config.get("num_local_experts"):
        problems.append("a mixture of experts: the MLP here is one")
    return problems
