"""A request to a language model, its reply, and the gate through which requests leave.

The same whoever answers: an API, a model of this process, a test.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable

from .ledger import ledger_key


class Halted(Exception):
    """The gate is closed: interrupted, a limit was reached, or nothing can be answered."""


class Gate:
    """Lets requests through until it is closed or ``max_requests`` have passed; a pause holds all of them back.

    Shared by the threads that ask one server.
    """

    def __init__(self, max_requests: int | None = None) -> None:
        self.passed = 0
        """Requests let through so far."""
        self.reason: str | None = None
        """Why it was closed."""
        self._max_requests = max_requests
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._open_at_s = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may leave."""
        return self._closed.is_set()

    def enter(self) -> None:
        """Wait for the end of a pause, then count one request.

        Raises:
            Halted: it may not leave.
        """
        while not self.is_closed and self._open_at_s > time.monotonic():
            self._closed.wait(self._open_at_s - time.monotonic())
        with self._lock:
            if self._max_requests is not None and self.passed >= self._max_requests:
                self.close(f"--max-requests {self._max_requests} reached")
            if self.is_closed:
                raise Halted(self.reason)
            self.passed += 1

    def sleep(self, seconds: float) -> None:
        """Wait before a repeat. Raises Halted when the gate is closed meanwhile."""
        if self._closed.wait(seconds):
            raise Halted(self.reason)

    def pause_all(self, seconds: float) -> None:
        """Hold every thread's next request back, as a server asked for."""
        with self._lock:
            self._open_at_s = max(self._open_at_s, time.monotonic() + seconds)

    def close(self, reason: str) -> None:
        """Let nothing more through; the first reason stays."""
        self.reason = self.reason or reason
        self._closed.set()


class NoReply(Exception):
    """The server gave no reply however often it was asked; asked again by the next start."""


class RefusedRequest(Exception):
    """The server refuses this request; whether for its text or for all of them only the others' fate can tell."""


@dataclass(frozen=True)
class ChatRequest:
    """One request."""

    messages: Sequence[Mapping[str, Any]]
    """Chat messages as the OpenAI API takes them."""
    parameters: Mapping[str, Any]
    """``model`` and whatever else is asked for: ``seed``, ``temperature``, ``max_tokens``."""
    run: int = 0
    """Which of several runs over the same messages."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the ledger notes beside the reply: sample, prompt digest; not part of the key."""
    server: str = ""
    """Base URL of the server that is asked; empty for a model of this process."""
    rubric: str = ""
    """Digest of a rubric of the user's own, whose ratings are never another's."""

    @cached_property
    def key(self) -> str:
        """Digest of server, model, parameters, messages and run: the same request is never paid for twice."""
        return self._key(server=self.server, rubric=self.rubric)

    @cached_property
    def key_before(self) -> str:
        """The key in ledgers from before servers were noted."""
        return self._key(rubric=self.rubric)

    def _key(self, **scope: str) -> str:
        own = {name: value for name, value in self.parameters.items() if name != "model"}
        content = {"model": self.parameters["model"], "parameters": own, "messages": list(self.messages)}
        return ledger_key({**content, "run": self.run, **{name: value for name, value in scope.items() if value}})


@dataclass(frozen=True)
class Reply:
    """What came back and was paid for."""

    text: str | None
    """The reply, or None where it cannot be used."""
    fault: str | None = None
    """Why it cannot be used: refused, cut off, filtered."""
    model: str | None = None
    """The model that the server says it used."""
    system_fingerprint: str | None = None
    """The server's configuration, as it names it."""
    finish_reason: str | None = None
    """As the API says: ``stop``, ``length``, ``content_filter``."""
    usage: Mapping[str, int] = field(default_factory=dict)
    """``prompt_tokens`` and ``completion_tokens``."""
    dropped: Sequence[str] = ()
    """Parameters that the server refuses and that were left out."""
    final: bool = False
    """Asking again would change nothing (the text is too long, or filtered before it reached the model)."""

    def to_json(self) -> dict[str, Any]:
        """Plain dictionary for the ledger."""
        return {
            "text": self.text,
            "fault": self.fault,
            "returned_model": self.model,
            "system_fingerprint": self.system_fingerprint,
            "finish_reason": self.finish_reason,
            "usage": dict(self.usage),
            "dropped": list(self.dropped),
            "final": self.final,
        }


Ask = Callable[[ChatRequest, Gate], Reply]
"""Asks one question, passing the gate before each request.

Raises NoReply or RefusedRequest about this one, Halted, or a PefomedError about them all.
"""
