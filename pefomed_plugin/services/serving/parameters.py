"""Every parameter of a chat completion: taken, or refused by name. Nothing is ignored.

Answers are greedy, one to a request. What asks for that, or for nothing else, is taken; what cannot be done is not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Callable

from ...errors import near_names
from .faults import ApiFault, wrong

MOST_TOP = 20
MOST_STOPS, MOST_STOP_LETTERS = 4, 500
_REQUIRED = ("model", "messages")


@dataclass(frozen=True)
class Wanted:
    """How the answer is to come."""

    most_tokens: int | None = None
    stop: tuple[str, ...] = ()
    top: int | None = None
    """How many likely tokens of each place; None: no log-probabilities."""
    streams: bool = False
    with_usage: bool = False
    """Whether a stream ends with what was used."""


def read_parameters(body: Mapping[str, Any]) -> Wanted:
    """All of a request but model and messages.

    Raises:
        ApiFault: 400, naming the parameter.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in _KNOWN:
            raise wrong(name, f"no such parameter here; {near_names(name, _KNOWN)}", "unknown_parameter")
        said = _KNOWN[name](value)
        if said:
            raise wrong(name, said, "unsupported_value" if said.startswith(_CANNOT) else "invalid_value")
    streams = given.get("stream", False)
    if "stream_options" in given and not streams:
        raise wrong("stream_options", "only with stream: true")
    if given.get("top_logprobs") and not given.get("logprobs"):
        raise wrong("top_logprobs", "only with logprobs: true")
    limits = {given[name] for name in ("max_tokens", "max_completion_tokens") if name in given}
    if len(limits) > 1:
        raise wrong("max_tokens", "says another limit than max_completion_tokens; give one of them")
    stop = given.get("stop", ())
    return Wanted(
        most_tokens=next(iter(limits), None),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        top=given.get("top_logprobs", 0) if given.get("logprobs") else None,
        streams=streams,
        with_usage=bool(given.get("stream_options", {}).get("include_usage")),
    )


_CANNOT = "cannot be done"
_Check = Callable[[Any], str]
"""What is wrong with a value; empty where nothing is."""


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _boolean(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _whole(least: int, most: int) -> _Check:
    def check(value: Any) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return "" if fits else f"a whole number from {least:,} to {most:,}"

    return check


def _text(value: Any) -> str:
    return "" if isinstance(value, str) else "a text"


def _object(value: Any) -> str:
    return "" if isinstance(value, dict) else "an object"


def _only(meaning: str, *values: Any) -> _Check:
    """Nothing but values that change nothing; ``meaning`` says why no other."""

    def check(value: Any) -> str:
        fits = any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in values)
        return "" if fits else f"{_CANNOT}: {meaning}"

    return check


def _temperature(value: Any) -> str:
    if not _number(value) or value < 0:
        return "a number from 0"
    return f"{_CANNOT}: answers are greedy, nothing is drawn; leave it out or send 0" if value > 0 else ""


def _top_p(value: Any) -> str:
    return "" if _number(value) and 0 < value <= 1 else "a number above 0, up to 1"


def _count(value: Any) -> str:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        return "a whole number from 1"
    return f"{_CANNOT}: a greedy answer is always the same one; send 1" if value > 1 else ""


def _stop(value: Any) -> str:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not 1 <= len(texts) <= MOST_STOPS:
        return f"a text, or a list of 1 to {MOST_STOPS}"
    if not all(isinstance(text, str) and 0 < len(text) <= MOST_STOP_LETTERS for text in texts):
        return f"texts of 1 to {MOST_STOP_LETTERS} characters"
    return ""


def _stream_options(value: Any) -> str:
    if not isinstance(value, dict):
        return "an object"
    unknown = sorted(set(value) - {"include_usage", "include_obfuscation"})
    if unknown:
        return f"no option {unknown[0]!r}; include_usage is one"
    if not all(option is None or isinstance(option, bool) for option in value.values()):
        return "its options are true or false"
    return f"{_CANNOT}: include_obfuscation" if value.get("include_obfuscation") else ""


_GREEDY = "answers are greedy, as in evaluation"
_NO_TOOLS = "the model knows no tools"
_KNOWN: dict[str, _Check] = {
    **dict.fromkeys(_REQUIRED, lambda value: ""),
    "max_tokens": _whole(1, 10**9),
    "max_completion_tokens": _whole(1, 10**9),
    "stop": _stop,
    "stream": _boolean,
    "stream_options": _stream_options,
    "logprobs": _boolean,
    "top_logprobs": _whole(0, MOST_TOP),
    "temperature": _temperature,
    "top_p": _top_p,
    "seed": _whole(-(2**63), 2**63 - 1),
    "n": _count,
    "presence_penalty": _only(_GREEDY, 0),
    "frequency_penalty": _only(_GREEDY, 0),
    "logit_bias": _only(_GREEDY, {}),
    "tools": _only(_NO_TOOLS, []),
    "tool_choice": _only(_NO_TOOLS, "none"),
    "functions": _only(_NO_TOOLS, []),
    "function_call": _only(_NO_TOOLS, "none"),
    "parallel_tool_calls": _only(_NO_TOOLS),
    "response_format": _only("answers are plain text", {"type": "text"}),
    "modalities": _only("answers are plain text", ["text"]),
    "audio": _only("answers are plain text"),
    "prediction": _only("answers are not predicted"),
    "reasoning_effort": _only("the model does not reason", "none"),
    "verbosity": _only("an answer is as long as its task's"),
    "web_search_options": _only("the server fetches nothing"),
    "moderation": _only("the server asks nobody else"),
    "store": _only("nothing is kept", False),
    "metadata": _only("nothing is kept", {}),
    "service_tier": _only("there is one tier", "auto", "default"),
    # who asks changes no answer, and is not kept
    "user": _text,
    "safety_identifier": _text,
    "prompt_cache_key": _text,
    "prompt_cache_retention": _text,
    "prompt_cache_options": _object,
}


def require_model(body: Mapping[str, Any], name: str) -> None:
    """The request must name the model that is served.

    Raises:
        ApiFault: 400 where it names none, 404 where another.
    """
    asked = body.get("model")
    if not isinstance(asked, str) or not asked:
        raise wrong("model", f"missing; here it is {name!r}", "missing_required_parameter")
    if asked != name:
        raise ApiFault(404, f"model: {asked[:100]!r} is not served here; it is {name!r}", "model", "model_not_found")
