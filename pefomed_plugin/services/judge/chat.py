"""A request to a language model, its reply, and the gate through which requests leave.

The same whoever answers: an API, a model of this process, a test.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from concurrent.futures import TimeoutError as NotYet
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Protocol, runtime_checkable

from ...errors import PefomedError
from ..console import say
from ..ending import answering, words_of
from .ledger import ledger_key

CHAT, RESPONSES = "chat", "responses"
"""Chat completions, which every compatible server has, and OpenAI's Responses API."""
ENDPOINTS = (CHAT, RESPONSES)


class Halted(Exception):
    """The gate is closed: interrupted, a limit was reached, or nothing can be answered."""


class Gate:
    """Lets requests through until it is closed or ``max_requests`` have passed; a pause holds all of them back.

    Shared by everything that asks one server, threads and coroutines alike.
    """

    def __init__(self, max_requests: int | None = None) -> None:
        self.passed = 0
        """Requests let through so far."""
        self.ended = 0
        """Of them those that are over, however they ended."""
        self.reason: str | None = None
        """Why it was closed."""
        self.told = 0
        """The signal because of which it was."""
        self._max_requests = max_requests
        self._closing: Future[None] = Future()
        self._lock = threading.Lock()
        self._open_at_s = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether nothing more may leave."""
        return self._closing.done()

    @property
    def in_flight(self) -> int:
        """Requests that are on their way now: killed at this moment, they may have been paid for."""
        return self.passed - self.ended

    def enter(self) -> None:
        """Wait for the end of a pause, then count one request.

        Raises:
            Halted: it may not leave.
        """
        while not self.is_closed and self._open_at_s > time.monotonic():
            self._wait(self._open_at_s - time.monotonic())
        self._count()

    async def enter_async(self) -> None:
        """As ``enter``, for a coroutine."""
        while not self.is_closed and self._open_at_s > time.monotonic():
            await self._wait_async(self._open_at_s - time.monotonic())
        self._count()

    def leave(self) -> None:
        """Count a request as over."""
        with self._lock:
            self.ended += 1

    def sleep(self, seconds: float) -> None:
        """Wait before a repeat. Raises Halted when the gate is closed meanwhile."""
        if self._wait(seconds):
            raise Halted(self.reason)

    async def sleep_async(self, seconds: float) -> None:
        """As ``sleep``, for a coroutine."""
        if await self._wait_async(seconds):
            raise Halted(self.reason)

    def pause_all(self, seconds: float) -> bool:
        """Hold every next request back, as a server asked for; whether that is longer than was known."""
        with self._lock:
            until_s = time.monotonic() + seconds
            is_news = until_s > self._open_at_s + 1.0
            self._open_at_s = max(self._open_at_s, until_s)
        return is_news

    def close(self, reason: str) -> None:
        """Let nothing more through; the first reason stays."""
        self.reason = self.reason or reason
        try:
            self._closing.set_result(None)
        except InvalidStateError:
            return

    def _count(self) -> None:
        with self._lock:
            if self._max_requests is not None and self.passed >= self._max_requests:
                self.close(f"--max-requests {self._max_requests} reached")
            if self.is_closed:
                raise Halted(self.reason)
            self.passed += 1

    def _wait(self, seconds: float) -> bool:
        try:
            self._closing.result(seconds)
        except NotYet:
            return False
        return True

    async def _wait_async(self, seconds: float) -> bool:
        await asyncio.wait({asyncio.wrap_future(self._closing)}, timeout=seconds)
        return self.is_closed


class NoReply(Exception):
    """The server gave no reply however often it was asked; asked again by the next start."""


class RefusedRequest(Exception):
    """The server refuses this request; whether for its text or for all of them only the others' fate can tell."""


class ServiceError(PefomedError):
    """The server refuses what we ask for altogether: key, quota, model or parameters."""


@contextmanager
def closing_on_error(gate: Gate) -> Iterator[None]:
    """Close the gate over what concerns more than one question, before the next one leaves."""
    try:
        yield
    except (Halted, NoReply, RefusedRequest):
        raise
    except Exception as error:
        gate.close(error.summary if isinstance(error, PefomedError) else f"{type(error).__name__} in this program")
        raise


@contextmanager
def closing_on_signal(gate: Gate, let_go: Callable[[], None] | None = None) -> Iterator[None]:
    """Being told to end closes the gate instead of ending the process; a second one calls ``let_go``.

    Another one, or the second where there is nothing to call, interrupts at once.
    """
    later = [let_go] if let_go is not None else []

    def close(number: int, _: Any) -> None:
        if gate.reason is None:
            gate.told = number
            gate.close(words_of(number))
            flying = f"; {gate.in_flight} requests are" if gate.in_flight > 1 else ""
            say(f"finishing what is in flight{flying}; once more to stop at once")
        elif later:
            later.pop()()
        else:
            raise KeyboardInterrupt

    with answering(close):
        yield


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
    endpoint: str = CHAT
    """Corner of the API that is asked, ``CHAT`` or ``RESPONSES``."""

    @cached_property
    def key(self) -> str:
        """Digest of server, endpoint, model, parameters, messages and run: what is asked otherwise is another's."""
        return self._key(server=self.server, rubric=self.rubric, endpoint=self._other_endpoint)

    @cached_property
    def key_before(self) -> str:
        """The key in ledgers from before servers were noted."""
        return self._key(rubric=self.rubric, endpoint=self._other_endpoint)

    @property
    def _other_endpoint(self) -> str:
        return "" if self.endpoint == CHAT else self.endpoint  # there was but one before

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
    logprobs: Sequence[Mapping[str, Any]] = ()
    """Tokens of the text that hold a digit: ``at`` (its first character), ``token``, ``top`` (token -> ln p)."""
    raw: str | None = None
    """What the server sent, where it could not be understood: it was paid for."""

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
            **({"digit_logprobs": list(self.logprobs)} if self.logprobs else {}),
            **({"raw": self.raw} if self.raw is not None else {}),
        }


Ask = Callable[[ChatRequest, Gate], Reply]
"""Asks one question, passing the gate before each request.

Raises NoReply or RefusedRequest about this one, Halted, or a PefomedError about them all.
"""


@runtime_checkable
class AsksAtOnce(Protocol):
    """Asks many questions at a time without a thread for each."""

    def starter(self, concurrency: int) -> Callable[[ChatRequest, Gate], Future[Reply]]:
        """The function that starts a question; at most ``concurrency`` are under way. Raises as ``Ask``."""
