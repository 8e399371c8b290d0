"""Answers in OpenAI's shape: models, a completion, and the chunks of a stream."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .engine import Told

DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True)
class Reply:
    """What all parts of one answer have in common."""

    model: str
    fingerprint: str
    task: str
    notes: Sequence[str] = ()
    prompt_tokens: int = 0
    ends_as_evaluated: bool = True
    """Whether nothing in the request could end the answer before evaluation would: no ``stop``, no smaller limit."""
    id: str = field(default_factory=lambda: "chatcmpl-" + uuid.uuid4().hex)
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, text: str, tokens: Sequence[Told] | None, reason: str, answer_tokens: int) -> dict[str, Any]:
        """A ``chat.completion``; ``tokens`` None: no log-probabilities were wanted."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": _logprobs(tokens),
            "finish_reason": reason,
        }
        return {**self._head("chat.completion"), "choices": [choice], "usage": self.usage(answer_tokens)}

    def chunk(
        self, delta: dict[str, Any], tokens: Sequence[Told] | None = None, reason: str | None = None, **more: Any
    ) -> bytes:
        """One event of a stream; ``more`` beside the choices, such as ``usage``."""
        choice = {"index": 0, "delta": delta, "logprobs": _logprobs(tokens), "finish_reason": reason}
        return event({**self._head("chat.completion.chunk"), "choices": [choice], **more})

    def last_chunk(self, answer_tokens: int) -> bytes:
        """The event with what was used, behind those with text."""
        head = self._head("chat.completion.chunk")
        return event({**head, "choices": [], "usage": self.usage(answer_tokens)})

    def usage(self, answer_tokens: int) -> dict[str, int]:
        """Tokens of the whole prompt, images included, and of the answer, its end included."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": answer_tokens,
            "total_tokens": self.prompt_tokens + answer_tokens,
        }

    def _head(self, kind: str) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "pefomed": {"task": self.task, "notes": list(self.notes), "ends_as_evaluated": self.ends_as_evaluated},
        }


def event(value: Any) -> bytes:
    """A server-sent event."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _logprobs(tokens: Sequence[Told] | None) -> dict[str, Any] | None:
    if tokens is None:
        return None
    return {
        "content": [
            {
                **_token(token.text, token.logprob),
                "top_logprobs": [_token(text, value) for text, value in token.top],
            }
            for token in tokens
        ],
        "refusal": None,
    }


def _token(text: str, logprob: float) -> dict[str, Any]:
    part = "\ufffd" in text  # of a character, whose bytes are not known here
    return {"token": text, "logprob": logprob, "bytes": None if part else list(text.encode())}
