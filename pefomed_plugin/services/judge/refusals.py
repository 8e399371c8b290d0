"""Refusals of chat servers, in whatever form they come, told apart by what they are about.

Nine servers word the same refusal in nine ways, so an unknown refusal is not guessed at here: ``asking`` looks whether
other texts are answered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from .chat import Reply

LONGEST_RETRY_AFTER_S = 600.0
"""A server that asks for more is asked again after this."""
SYSTEM = "system"
"""Stands for the system message among what can be left out: its words then begin the user's."""
RENAMED = "max_tokens as max_completion_tokens"
"""Stands for the newer name of the reply's limit: newer models refuse the older one."""
OPTIONAL = (
    "seed",
    "temperature",
    "max_tokens",
    "response_format",
    "reasoning_effort",
    "logprobs",
    SYSTEM,
)
"""What a request can do without."""
_ALSO_CALLED = {
    "top_logprobs": "logprobs",
    "include": "logprobs",
    "text": "response_format",
    "json_schema": "response_format",
    "reasoning": "reasoning_effort",
    "max_output_tokens": "max_tokens",
}
"""Names of the Responses API, and of parts, for what ``OPTIONAL`` calls otherwise."""
_COMMON_WORDS = ("text", "include", "reasoning")
"""Of them those that errors also use of other things: believed only where the server names the parameter."""
REFUSALS_OF_TEXTS = (400, 403, 413, 422, 451)
_TOO_LONG = re.compile(
    r"context.?(length|size|window)|exceed_context|too long|too large|too many (input )?tokens|"
    r"maximum.{0,30}tokens|exceeds.{0,30}(limit|maximum)"
)
_FILTERED = re.compile(
    r"content.?(filter|polic|management|exists risk)|safety|flagged|usage polic|inappropriate|moderation|violat|"
    r"prohibited|blocked|data_?inspection|invalid_prompt"
)
_NO_SYSTEM = re.compile(r"system.{0,20}(role|message|prompt|instruction)|only user and assistant|developer instruction")
OF_THE_KEY = re.compile(r"api.?key|permission|access|auth|country|region|billing|organi[sz]ation|subscri")
_LEAST_TOKENS = 32
MOST_WORDS = 20_000
"""Characters of an error that are looked at."""


def words_of(body: Any, text: str) -> str:
    """What an error says, in whatever form: keys and texts in small letters, the first of them."""
    if body is None:
        return text[:MOST_WORDS].lower()
    words: list[str] = []
    waiting, room = [body], MOST_WORDS
    while waiting and room > 0:
        part = waiting.pop()
        if isinstance(part, Mapping):
            waiting.extend(value for pair in reversed(list(part.items())) for value in reversed(pair))
        elif isinstance(part, (list, tuple)):
            waiting.extend(reversed(part))
        else:
            words.append((part if isinstance(part, str) else str(part))[:room])
            room -= len(words[-1]) + 1
    return " ".join(words).lower()


def fault_of_text(status: int, said: str) -> Reply | None:
    """The reply that stands for an error which is known to concern one text only, and would come again."""
    if status not in REFUSALS_OF_TEXTS:
        return None
    if _FILTERED.search(said):
        return Reply(None, "filtered before it was answered", final=True)
    if status == 413 or _TOO_LONG.search(said):
        return Reply(None, "too long for the model", final=True)
    return None


def smaller_limit(said: str, parameters: Mapping[str, Any], left_out: Sequence[str]) -> dict[str, int] | None:
    """Half the limit of the reply, where an error says that it does not fit beside the text."""
    if not _TOO_LONG.search(said) or not re.search(r"max_(completion_|new_|output_)?tokens|completion", said):
        return None
    for name in ("max_tokens", "max_completion_tokens"):
        limit = parameters.get(name)
        if isinstance(limit, int) and name not in left_out and limit // 2 >= _LEAST_TOKENS:
            return {name: limit // 2}
    return None


def without_system(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The messages with the system's words at the beginning of the user's."""
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    first, *others = (message for message in messages if message["role"] != "system")
    if not system:
        return [first, *others]
    content = first["content"]
    part = {"type": "text", "text": system}
    joined = f"{system}\n\n{content}" if isinstance(content, str) else [part, *content]
    return [{**first, "content": joined}, *others]


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, however many, 0 where it does not say."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value:
            try:
                wait_s = float(value) * unit_s
            except ValueError:
                try:
                    moment = parsedate_to_datetime(value)
                    wait_s = (moment - datetime.now(moment.tzinfo or timezone.utc)).total_seconds()
                except (TypeError, ValueError, OverflowError, IndexError):
                    continue
            if not math.isnan(wait_s):
                return min(max(wait_s, 0.0), 1e9)
    return 0.0


def refused_parameter(body: Any, said: str, parameters: Mapping[str, Any], left_out: Sequence[str]) -> str | None:
    """Which of what a request can do without an error is about, in whatever form it comes; None: something else."""
    names = [name for name in OPTIONAL if name in parameters and name not in left_out]
    also = {**_ALSO_CALLED, **({"max_completion_tokens": "max_tokens"} if RENAMED in left_out else {})}
    for place in (body, body.get("error") if isinstance(body, Mapping) else None):
        param = place.get("param") if isinstance(place, Mapping) else None
        first = param.partition(".")[0] if isinstance(param, str) else ""  # text.format is what stands in text
        found = next((name for name in names if name in (first, also.get(first))), None)
        if found:
            break
    else:
        words = [also.get(word, word) for word in re.findall(r"\w+", said) if word not in _COMMON_WORDS]
        found = next((name for name in names if name in words), None)
    if found == "max_tokens" and RENAMED not in left_out and "max_completion_tokens" in said:
        return RENAMED
    if found is None and SYSTEM not in left_out and _NO_SYSTEM.search(said) and re.search(r"support|allow|only", said):
        return SYSTEM
    return found
