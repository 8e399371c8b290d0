"""What every page of this machine has before it: the name that it is asked for by, and an end to silent connections."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from .local_names import is_known_as

UNKNOWN_NAME = "this server is not known by that name; use the address that it printed"


class HostCheck:
    """ASGI middleware: requests under a name that does not belong to the server are refused with 403."""

    def __init__(self, app: ASGIApp, listens_on: str) -> None:
        self.app, self.listens_on = app, listens_on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            names = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
            if len(names) != 1 or not is_known_as(names[0], self.listens_on):
                if scope["type"] == "http":
                    return await JSONResponse({"error": UNKNOWN_NAME}, 403)(scope, receive, send)
                return await send({"type": "websocket.close", "code": 1008})
        return await self.app(scope, receive, send)


def impatient(idle_s: float) -> type[H11Protocol]:
    """uvicorn's HTTP protocol, closing a connection on which no new request came within ``idle_s`` to twice that.

    uvicorn's own limit begins with the first answer: a connection that never asks, or sends a byte of a header now and
    then, would be held for good.
    """

    class Impatient(H11Protocol):
        _looking: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._look_again(None)

        def _look_again(self, seen: Any) -> None:
            self._looking = self.loop.call_later(idle_s, self._look, seen)

        def _look(self, seen: Any) -> None:
            if self.cycle is seen:
                self.transport.abort()
            else:
                self._look_again(self.cycle)

        def connection_lost(self, exc: Exception | None) -> None:
            if self._looking is not None:
                self._looking.cancel()
            super().connection_lost(exc)

    return Impatient
