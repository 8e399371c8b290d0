"""Requests and replies as they travel: chat completions, and OpenAI's Responses API.

A request says what it wants in the words of chat completions, whichever corner is asked. Replies come from outside:
every field is looked at before it is believed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...json_text import JsonFault, parse_json
from .chat import RESPONSES, ChatRequest, Reply
from .refusals import RENAMED, SYSTEM, without_system

LONGEST_NAME = 200
"""Characters of a model's name, a fingerprint, a reason."""
_MOST_TOKENS = 1 << 40
_RESPONSES_NAMES = {"max_tokens": "max_output_tokens", "temperature": "temperature"}
UNKNOWN_TO_RESPONSES = ("seed",)
"""What the Responses API has no parameter for."""
PATHS = {"chat": "/v1/chat/completions", RESPONSES: "/v1/responses"}
"""Endpoint -> its path, as batches name it."""


def body_of(question: ChatRequest, left_out: Sequence[str]) -> dict[str, Any]:
    """A request's body without what is left out."""
    asked = {name: value for name, value in question.parameters.items() if name not in left_out}
    if "logprobs" not in asked:
        asked.pop("top_logprobs", None)
    messages = without_system(question.messages) if SYSTEM in left_out else list(question.messages)
    if question.endpoint == RESPONSES:
        return _responses_body(asked, messages)
    if RENAMED in left_out and "max_tokens" in asked:
        asked["max_completion_tokens"] = asked.pop("max_tokens")
    return {**asked, "messages": messages}


def read_body(content: bytes, dropped: Sequence[str], endpoint: str) -> tuple[Reply | None, str]:
    """The reply of a response with status 200, or what is wrong with it.

    Raises:
        JsonFault: JSON that is not read (too deep, a number too long, a key twice).
    """
    try:
        body = parse_json(content, with_nan=True)  # as the logarithm of nothing
    except JsonFault as fault:
        if fault.line:
            return None, "the answer is no JSON"
        raise
    if not isinstance(body, dict):
        return None, "the answer has no choices"
    if endpoint == RESPONSES:
        return _read_response(body, tuple(dropped))
    return _read_completion(body, tuple(dropped))


def _responses_body(asked: Mapping[str, Any], messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The same request in the Responses API's words; nothing of it is kept there (``store``)."""
    body: dict[str, Any] = {"model": asked["model"], "store": False}
    body.update({new: asked[old] for old, new in _RESPONSES_NAMES.items() if old in asked})
    if "reasoning_effort" in asked:
        body["reasoning"] = {"effort": asked["reasoning_effort"]}
    if "response_format" in asked:
        body["text"] = {"format": {"type": "json_schema", **asked["response_format"]["json_schema"]}}
    if "logprobs" in asked:
        body.update(include=["message.output_text.logprobs"], top_logprobs=asked["top_logprobs"])
    system = "\n\n".join(message["content"] for message in messages if message["role"] == "system")
    if system:
        body["instructions"] = system
    body["input"] = [
        {"role": message["role"], "content": _responses_content(message["content"])}
        for message in messages
        if message["role"] != "system"
    ]
    return body


def _responses_content(content: Any) -> Any:
    if isinstance(content, str):
        return content
    return [
        {"type": "input_text", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "input_image", "image_url": part["image_url"]["url"], "detail": "auto"}
        for part in content
    ]


def _read_completion(body: Mapping[str, Any], dropped: tuple[str, ...]) -> tuple[Reply | None, str]:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return None, "the answer has no choices"
    finish, text = _name(choice.get("finish_reason")), _text_of(message.get("content"))
    fault = _fault(text, bool(message.get("refusal")), finish == "length", finish == "content_filter")
    own = body.get("pefomed")
    if isinstance(own, dict) and own.get("ends_as_evaluated") is True and isinstance(text, str):
        fault = None  # of pefomed serve: it is evaluation's, also where that cuts it or has nothing to say
    found = choice.get("logprobs")
    tokens = found.get("content") if isinstance(found, dict) else None
    usage = _usage(body, "prompt_tokens", "completion_tokens")
    return _reply(body, text, fault, finish, usage, dropped, tokens), ""


def _read_response(body: Mapping[str, Any], dropped: tuple[str, ...]) -> tuple[Reply | None, str]:
    output, status = body.get("output"), _name(body.get("status"))
    if not isinstance(output, list) or status not in ("completed", "incomplete", None):
        return None, f"the answer is {status}" if status in ("failed", "cancelled") else "the answer has no output"
    contents = [item.get("content") for item in output if isinstance(item, dict) and item.get("type") == "message"]
    parts = [part for content in contents if isinstance(content, list) for part in content if isinstance(part, dict)]
    texts = [part for part in parts if part.get("type") == "output_text" and isinstance(part.get("text"), str)]
    details = body.get("incomplete_details")
    cut = _name(details.get("reason")) if isinstance(details, dict) else None
    text = "".join(part["text"] for part in texts)
    is_refused = any(part.get("type") == "refusal" for part in parts)
    fault = _fault(text, is_refused, cut == "max_output_tokens", cut == "content_filter")
    if fault is None and status == "incomplete":
        fault = "ended before it was whole"
    tokens = [token for part in texts for token in (part.get("logprobs") or ()) if isinstance(part["logprobs"], list)]
    return _reply(body, text, fault, cut or status, _usage(body, "input_tokens", "output_tokens"), dropped, tokens), ""


def _fault(text: Any, is_refused: bool, is_cut: bool, is_filtered: bool) -> str | None:
    if is_refused:
        return "the model refused"
    if is_cut:
        return "cut off by --max-tokens"
    if is_filtered:
        return "filtered"
    return None if isinstance(text, str) and text.strip() else "empty reply"


def _reply(
    body: Mapping[str, Any],
    text: Any,
    fault: str | None,
    finish: str | None,
    usage: Mapping[str, int],
    dropped: tuple[str, ...],
    tokens: Any,
) -> Reply:
    return Reply(
        None if fault else text,
        fault,
        _name(body.get("model")),
        _name(body.get("system_fingerprint")),
        finish,
        usage,
        dropped,
        logprobs=() if fault else digit_tokens(text, tokens),
    )


def digit_tokens(text: str, tokens: Any) -> list[dict[str, Any]]:
    """The tokens of a text that hold a digit, with their place and alternatives; none where they do not add up to it.

    ``tokens``: as the API gives them, ``{"token", "bytes", "logprob", "top_logprobs"}``.
    """
    if not isinstance(tokens, list):
        return []
    found: list[dict[str, Any]] = []
    place = 0
    for entry in tokens:
        token = entry.get("token") if isinstance(entry, dict) else None
        if not isinstance(token, str):
            return []
        if not text.startswith(token, place):
            return found  # half a character, or the model's own marks: from here on places are not known
        if any(letter.isdigit() for letter in token):
            found.append({"at": place, "token": token, "top": _alternatives(entry)})
        place += len(token)
    return found


def _alternatives(entry: Mapping[str, Any]) -> dict[str, float]:
    others = entry.get("top_logprobs")
    rows = [entry, *(others if isinstance(others, list) else ())]
    return {
        row["token"]: round(float(row["logprob"]), 6)
        for row in reversed(rows[:21])
        if isinstance(row, dict)
        and isinstance(row.get("token"), str)
        and len(row["token"]) <= LONGEST_NAME
        and isinstance(row.get("logprob"), (int, float))
        and math.isfinite(row["logprob"])
        and row["logprob"] <= 0.01
    }


def _usage(body: Mapping[str, Any], sent: str, answered: str) -> dict[str, int]:
    usage = body.get("usage")
    counts = {"prompt_tokens": sent, "completion_tokens": answered}
    return {
        name: usage[key]
        for name, key in counts.items()
        if isinstance(usage, dict) and type(usage.get(key)) is int and 0 <= usage[key] < _MOST_TOKENS
    }


def _name(value: Any) -> str | None:
    """A name that a server gives something: one short line, or nothing."""
    if not isinstance(value, str):
        return None
    return "".join(letter for letter in value[:LONGEST_NAME] if letter.isprintable()) or None


def _text_of(content: Any) -> Any:
    """The text of a message whose content is a text, or a list of parts; what was thought aloud is none."""
    if not isinstance(content, list):
        return content
    parts = [part for part in content if isinstance(part, dict) and part.get("type") in (None, "text", "output_text")]
    return "".join(part["text"] for part in parts if isinstance(part.get("text"), str))
