"""What replies cost: a price table of the user's, and rough counts of tokens. No price is built in; they change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ...readers.textfiles import read_json

TOKENS_OF_A_VERDICT = 60
"""Assumed length of a reply where nothing is known: one sentence and the verdict."""
_CHARACTERS_A_TOKEN, _TOKENS_A_MESSAGE, _TOKENS_AN_IMAGE = 4.0, 4, 1000


@dataclass(frozen=True)
class Price:
    """Price of one model, in the currency of the table."""

    input: float
    """For a million tokens sent."""
    output: float
    """For a million tokens answered."""

    def of(self, usage: Mapping[str, Any]) -> float:
        """Cost of one reply."""
        return (self.input * usage.get("prompt_tokens", 0) + self.output * usage.get("completion_tokens", 0)) / 1e6


def read_price(path: Path | None, model: str) -> Price | None:
    """Price of ``model`` in a JSON table ``{"model": {"input": 2.5, "output": 10}}``; None without a table.

    Raises:
        ConfigError: the table lacks the model, or a price is not a number of at least 0.
        DataError: no JSON.
    """
    if path is None:
        return None
    table = read_json(path)
    row = table.get(model) if isinstance(table, dict) else None
    if not isinstance(row, dict) or any(
        isinstance(row.get(side), bool) or not isinstance(row.get(side), (int, float)) or not row[side] >= 0
        for side in ("input", "output")
    ):
        raise ConfigError(
            f'{path} has no price of {model!r}; add "{model}": {{"input": 2.5, "output": 10}}, for a million tokens'
        )
    return Price(row["input"], row["output"])


def estimate_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """About how many tokens messages have: English text by its length, within a fifth or so, images by a guess."""
    parts = [
        part
        for message in messages
        for part in ([{"text": message["content"]}] if isinstance(message["content"], str) else message["content"])
    ]
    images = sum("image_url" in part for part in parts)
    text = sum(len(part.get("text", "")) for part in parts)
    return round(text / _CHARACTERS_A_TOKEN) + _TOKENS_A_MESSAGE * len(messages) + _TOKENS_AN_IMAGE * images
