"""What chat servers send back, in whatever form: replies, and refusals told apart by what they are about.

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

from ...json_text import parse_json
from .chat import Reply

LONGEST_RETRY_AFTER_S = 3600.0
SYSTEM = "system"
"""Stands for the system message among what can be left out: its words then begin the user's."""
OPTIONAL = ("seed", "temperature", "max_tokens", "max_completion_tokens", "top_p", SYSTEM)
"""What a request can do without."""
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


def words_of(body: Any, text: str) -> str:
    """Everything that an error says, in whatever form: keys and texts in small letters."""
    if body is None:
        return text.lower()
    if isinstance(body, Mapping):
        return " ".join(f"{key} {words_of(value, '')}" for key, value in body.items()).lower()
    if isinstance(body, (list, tuple)):
        return " ".join(words_of(part, "") for part in body)
    return str(body).lower()


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
    if not _TOO_LONG.search(said) or not re.search(r"max_(completion_|new_)?tokens|completion", said):
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


def read_body(content: bytes, dropped: tuple[str, ...]) -> tuple[Reply | None, str]:
    """The reply of a response with status 200, or what is wrong with it."""
    try:
        body = parse_json(content)
    except ValueError:
        return None, "the answer is no JSON"
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return None, "the answer has no choices"
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    text, fault = _text_of(message.get("content")), None
    if message.get("refusal"):
        fault = "the model refused"
    elif choice.get("finish_reason") == "length":
        fault = "cut off by --max-tokens"
    elif choice.get("finish_reason") == "content_filter":
        fault = "filtered"
    elif not isinstance(text, str) or not text.strip():
        fault = "empty reply"
    return Reply(
        None if fault else text,
        fault,
        body.get("model"),
        body.get("system_fingerprint"),
        choice.get("finish_reason"),
        {name: usage[name] for name in ("prompt_tokens", "completion_tokens") if isinstance(usage.get(name), int)},
        dropped,
    ), ""


def _text_of(content: Any) -> Any:
    """The text of a message whose content is a text, or a list of parts; what was thought aloud is none."""
    if not isinstance(content, list):
        return content
    parts = [part for part in content if isinstance(part, dict) and part.get("type") in (None, "text", "output_text")]
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, 0 where it does not say."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value:
            try:
                wait_s = float(value) * unit_s
            except ValueError:
                try:
                    moment = parsedate_to_datetime(value)
                except (TypeError, ValueError):
                    continue
                wait_s = (moment - datetime.now(moment.tzinfo or timezone.utc)).total_seconds()
            if math.isfinite(wait_s):
                return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)
    return 0.0


def refused_parameter(body: Any, said: str, parameters: Mapping[str, Any], left_out: Sequence[str]) -> str | None:
    """Which of what a request can do without an error is about, in whatever form it comes; None: something else."""
    names = [name for name in OPTIONAL if name in parameters and name not in left_out]
    if isinstance(body, Mapping) and body.get("param") in names:
        return str(body["param"])
    words = re.findall(r"\w+", said)
    found = next((name for name in names if name in words), None)
    if found is None and SYSTEM not in left_out and _NO_SYSTEM.search(said) and re.search(r"support|allow|only", said):
        return SYSTEM
    return found
