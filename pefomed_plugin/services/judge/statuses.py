"""What follows from an error status of a chat server: a final reply, another try, less in the request, or the end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ..console import say
from .chat import RESPONSES, ChatRequest, Gate, RefusedRequest, Reply, ServiceError
from .refusals import (
    LONGEST_RETRY_AFTER_S,
    OF_THE_KEY,
    REFUSALS_OF_TEXTS,
    SYSTEM,
    fault_of_text,
    refused_parameter,
    retry_after_s,
)
from .server import Server
from .wire import UNKNOWN_TO_RESPONSES

SHOWN_WAIT_S = 10.0
"""From here on what a server asks to wait is said."""
_TEMPORARY = (408, 409, 425, 429)


class Refusals:
    """What one server refuses, and what follows from that for the next requests.

    Args:
        leave_out: of ``OPTIONAL``, what it is not sent from the beginning.
    """

    def __init__(self, server: Server, leave_out: Sequence[str]) -> None:
        self._server = server
        self._leave_out = tuple(leave_out)
        self._refused: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    def left_out(self, question: ChatRequest) -> tuple[str, ...]:
        """What a request goes without: on the user's wish, or because its model was seen to refuse it."""
        refused = self._refused.get(question.parameters["model"], ())
        unknown = UNKNOWN_TO_RESPONSES if question.endpoint == RESPONSES else ()
        return tuple(dict.fromkeys((*self._leave_out, *refused, *(n for n in unknown if n in question.parameters))))

    def learn(self, model: str, parameter: str) -> None:
        """Leave it out from now on, and say so once."""
        with self._lock:
            known = self._refused.get(model, ())
            if parameter not in known:
                self._refused[model] = (*known, parameter)
                old, _, new = parameter.partition(" as ")
                what = "a system message" if parameter == SYSTEM else f"the parameter {old}"
                how = f"asked with {new} instead" if new else "asked without it"
                say(f"{model} refuses {what}; {how}, and noted in the ledger")

    def judge(
        self, error: Any, said: str, question: ChatRequest, left_out: Sequence[str], gate: Gate
    ) -> tuple[Reply | None, str]:
        """A reply that is final, or the name of a fault worth another try; neither: ask again without a parameter.

        Raises:
            RefusedRequest: a refusal that may be about this text alone.
            ServiceError: one that is about all of them.
        """
        status: int = error.status_code
        if "insufficient_quota" in said or "billing_hard_limit" in said:
            raise ServiceError("the account's quota is used up; raise it, then start the same command again") from None
        refused = refused_parameter(error.body, said, question.parameters, left_out)
        if refused and (status in (400, 422) or refused == SYSTEM):
            self.learn(question.parameters["model"], refused)
            return None, ""
        if is_temporary(status):
            self._wait_as_asked(retry_after_s(error.response.headers), gate)
            return None, f"status {status}"
        final = fault_of_text(status, said)
        if final:
            return final, ""
        missing = f"it does not know {question.parameters['model']!r}, or OPENAI_BASE_URL lacks /v1"
        if question.endpoint == RESPONSES:
            missing += ", or it has no Responses API (leave out --endpoint responses)"
        remedy = {
            401: "OPENAI_API_KEY is not valid there",
            403: "the key may not use this model",
            404: missing,
        }.get(status, sent_on(error)[2:] or "see the server's log")
        if status in REFUSALS_OF_TEXTS and not (status == 403 and OF_THE_KEY.search(said)):
            raise RefusedRequest(f"refused by {self._server.url} (status {status}): {remedy}")
        raise ServiceError(f"{self._server.url} refuses the request (status {status}): {remedy}") from None

    def _wait_as_asked(self, asked_s: float, gate: Gate) -> None:
        wait_s = min(asked_s, LONGEST_RETRY_AFTER_S)
        if wait_s and gate.pause_all(wait_s) and asked_s >= SHOWN_WAIT_S:
            most = "" if wait_s == asked_s else f", and is asked again after {wait_s:,.0f}, the longest wait"
            say(f"{self._server.host} asks to wait {asked_s:,.0f} s{most}; Ctrl-C stops")


def is_temporary(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in _TEMPORARY or status >= 500


def sent_on(error: Any) -> str:
    """Where a server sends a request on to; its address only, the rest may quote what was sent."""
    place = error.response.headers.get("location") if 300 <= error.status_code < 400 else None
    if not place:
        return ""
    try:
        parts = urlsplit(place)
        host, port = parts.hostname or "another path", f":{parts.port}" if parts.port else ""
    except ValueError:
        host, port = "another address", ""
    host = "".join(letter for letter in host[:100] if letter.isprintable())
    return f"; it sends requests on to {host}{port}, which is not followed: name that in OPENAI_BASE_URL if it is right"
