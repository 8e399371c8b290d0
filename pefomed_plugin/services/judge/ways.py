"""How a model is asked, beside what: which corner of the API, how hard to think, in which form to answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ConfigError, near_names
from .chat import CHAT, ENDPOINTS, RESPONSES

VERDICT, REASON = "verdict", "reason"
"""Fields of a structured reply."""
MOST_ALTERNATIVES = 20
"""Tokens beside the one that was said, as many as OpenAI gives."""


@dataclass(frozen=True)
class Way:
    """What is sent besides messages, model, seed, temperature and limit; what a server refuses of it is left out."""

    endpoint: str = CHAT
    """One of ``ENDPOINTS``."""
    reasoning_effort: str = ""
    """As the server names its levels (OpenAI: minimal, low, medium, high); empty: the server's own."""
    is_structured: bool = False
    """The reply is JSON of a schema: a reason, then one of the rubric's levels."""
    has_logprobs: bool = False
    """The verdict's token comes with its log-probability and those of others, for a soft score."""

    def __post_init__(self) -> None:
        if self.endpoint not in ENDPOINTS:
            raise ConfigError(f"no endpoint {self.endpoint!r}; {near_names(self.endpoint, ENDPOINTS)}")

    def parameters(self, levels: Sequence[int] = ()) -> dict[str, Any]:
        """In the words of chat completions, whichever endpoint is asked; ``levels`` are what a verdict may be."""
        found: dict[str, Any] = {}
        if self.reasoning_effort:
            found["reasoning_effort"] = self.reasoning_effort
        if self.is_structured:
            fields = {REASON: {"type": "string"}, VERDICT: {"type": "integer", "enum": sorted(levels)}}
            schema = {
                "type": "object",
                "properties": fields,
                "required": list(fields),
                "additionalProperties": False,
            }
            found["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": VERDICT, "strict": True, "schema": schema},
            }
        if self.has_logprobs:
            found.update(logprobs=True, top_logprobs=MOST_ALTERNATIVES)
        return found

    def to_json(self) -> dict[str, Any]:
        """What of it is not the usual way, for results."""
        return {
            **({"endpoint": self.endpoint} if self.endpoint == RESPONSES else {}),
            **({"reasoning_effort": self.reasoning_effort} if self.reasoning_effort else {}),
            **({"structured": True} if self.is_structured else {}),
        }


def soft_value(entry: Mapping[str, Any], verdict: int, levels: Sequence[int]) -> float | None:
    """The level that a reply's own probabilities expect, in place of the one that it says.

    Taken over the alternatives of the last token with a digit, as far as they are levels; None where that token is not
    the verdict or comes without alternatives.
    """
    digits = entry.get("digit_logprobs") or ()
    last = digits[-1] if digits and isinstance(digits[-1], Mapping) else {}
    if str(last.get("token", "")).strip() != str(verdict) or not isinstance(last.get("top"), Mapping):
        return None
    shares: dict[int, float] = dict.fromkeys(levels, 0.0)
    for token, logprob in last["top"].items():
        word = token.strip()
        if word.isascii() and word.isdigit() and int(word) in shares and isinstance(logprob, (int, float)):
            shares[int(word)] += math.exp(min(logprob, 0.0))
    total = sum(shares.values())
    return sum(level * share for level, share in shares.items()) / total if total else None
