"""What every page of this machine has before it: the name that it is asked for by, and an end to silent connections."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..errors import ConfigError
from ..offline import is_loopback
from .local_names import is_known_as, is_this_machine
from .outbound import PAGE, Passage, open_passage

UNKNOWN_NAME = "this server is not known by that name; use the address that it printed"


class HostCheck:
    """ASGI middleware: requests under a name that does not belong to the server are refused with 403.

    ``refusal`` is what is answered then, where clients expect another form than ``{"error": words}``.
    """

    def __init__(self, app: ASGIApp, listens_on: str, refusal: Any = None) -> None:
        self.app, self.listens_on, self.refusal = app, listens_on, refusal or {"error": UNKNOWN_NAME}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            names = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(names) != 1 or not is_known_as(names[0], self.listens_on):
                if scope["type"] == "http":
                    return await JSONResponse(self.refusal, 403)(scope, receive, send)
                return await send({"type": "websocket.close", "code": 1008})
        return await self.app(scope, receive, send)


class NotedAnswers:
    """ASGI middleware: what other machines are sent is noted in the log of what leaves, an answer a line."""

    def __init__(self, app: ASGIApp, passage: Passage) -> None:
        self.app, self.passage = app, passage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = (scope.get("client") or ("",))[0]
        if scope["type"] != "http" or self.passage.is_local or is_loopback(host):
            return await self.app(scope, receive, send)
        size, is_noted = 0, False

        async def count(message: Any) -> None:
            nonlocal size, is_noted
            size += len(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                is_noted = True
                self.passage.note(size, texts=1, host=host)
            await send(message)

        try:
            await self.app(scope, receive, count)
        finally:
            if size and not is_noted:  # whoever asked went away: what was sent until then has left
                self.passage.note(size, texts=1, host=host)


def closed_passage(host: str) -> Passage:
    """The way to whoever reaches an address of this machine alone. Raises ConfigError for any other address."""
    if not is_this_machine(host):
        raise ConfigError(f"a page at {host} can be read by other machines: ask the gate first (outbound.open_passage)")
    return open_passage(PAGE, host, is_local=True)


def impatient(idle_s: float, *, answers_slowly: bool = False) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, closing a connection on which no new request came within ``idle_s`` to twice that.

    uvicorn's own limit begins with the first answer: a connection that never asks, or sends a byte of a header now and
    then, would be held for good. ``answers_slowly``: none is closed while the server itself owes an answer there.
    """

    class Impatient(H11Protocol):
        _looking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._look_again(None)

        def _look_again(self, seen: Any) -> None:
            self._looking = self.loop.call_later(idle_s, self._look, seen)

        def _look(self, seen: Any) -> None:
            owes = answers_slowly and seen is not None and not seen.response_complete
            if self.cycle is seen and not owes:
                self.transport.abort()
            else:
                self._look_again(self.cycle)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._looking is not None:
                self._looking.cancel()
            super().connection_lost(exc)

    return Impatient
