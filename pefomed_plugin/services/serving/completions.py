"""``/v1/chat/completions``: a question on its way in, its answer on its way out, whole or as it grows.

No text of a request or an answer is written anywhere.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from ..console import say
from .engine import Ended, Event, Failed, Full, Piece
from .faults import BROKEN, ApiFault, inner_fault, raised_at
from .responses import DONE, event
from .service import PATIENCE_S, Chat, Service


class Completions:
    """``/v1/chat/completions``, as an ASGI application: it hears when its client leaves."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, metrics = time.monotonic(), self._service.metrics
        request = Request(scope, receive)
        answer = _Answer(self._service, receive, _impatiently(send), began)
        try:
            status = await self._answer(request, answer)
        except ApiFault as fault:
            status = fault.status
            response = JSONResponse(fault.to_json(), fault.status, {**fault.headers, "Connection": "close"})
            await response(scope, receive, send)
        except (ClientDisconnect, _Gone):
            status = 499
            metrics.gone.inc()
        except Exception as error:  # whatever it is, its words may hold what was sent
            say(f"error: a request failed with {type(error).__name__}, {raised_at(error)}")
            status = 500
            if not answer.has_begun:
                await JSONResponse(inner_fault().to_json(), 500, {"Connection": "close"})(scope, receive, send)
        metrics.requests.labels(str(status), answer.task).inc()
        metrics.seconds.observe(time.monotonic() - began)

    async def _answer(self, request: Request, answer: _Answer) -> int:
        service = self._service
        service.require_key(request)
        service.let_in()
        try:
            chat = await service.understand(request)
            answer.task = chat.reply.task
            return await answer.give(chat)
        finally:
            service.in_flight -= 1


class _Gone(Exception):
    """The client has left, or takes nothing any more."""


class _Answer:
    """One answer on its way to its client."""

    def __init__(self, service: Service, receive: Receive, send: Send, began: float) -> None:
        self._service, self._receive, self._send, self._began = service, receive, send, began
        self.task = ""
        self.has_begun = False

    async def give(self, chat: Chat) -> int:
        """Ask, and send what comes; the question leaves the engine whatever happens."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[Event] = asyncio.Queue()

        def hear(heard: Event) -> None:
            try:
                loop.call_soon_threadsafe(events.put_nowait, heard)
            except RuntimeError:  # the loop has ended, and with it whoever waited
                pass

        service = self._service
        try:
            service.engine.submit(chat.ready, hear)
        except Full as full:
            raise service.busy(full.retry_s) from None
        gone = asyncio.ensure_future(self._until_gone())
        try:
            ended = await (self._stream if chat.wanted.streams else self._whole)(chat, events, gone)
        finally:
            service.engine.cancel(chat.ready)
            gone.cancel()
        service.metrics.prompt_tokens.inc(chat.ready.prompt_tokens)
        service.metrics.answer_tokens.inc(ended.answer_tokens)
        return 200

    async def _whole(self, chat: Chat, events: asyncio.Queue[Event], gone: asyncio.Future[None]) -> Ended:
        heard = await self._next(events, gone)
        assert isinstance(heard, Ended)
        tokens = None if chat.wanted.top is None else heard.tokens
        whole = chat.reply.whole(heard.text, tokens, heard.reason, heard.answer_tokens)
        self.has_begun = True
        await JSONResponse(whole)({"type": "http"}, self._receive, self._send)
        return heard

    async def _stream(self, chat: Chat, events: asyncio.Queue[Event], gone: asyncio.Future[None]) -> Ended:
        heard = await self._next(events, gone)  # what fails before it is begun has a status of its own
        reply, wanted = chat.reply, chat.wanted
        more: dict[str, Any] = {"usage": None} if wanted.with_usage else {}
        headers = [(b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-store")]
        self.has_begun = True
        self._service.metrics.first.observe(time.monotonic() - self._began)
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._put(reply.chunk({"role": "assistant", "content": ""}, **more))
        try:
            while True:
                assert not isinstance(heard, Failed)
                tokens = None if wanted.top is None else heard.tokens
                if heard.text or tokens:
                    await self._put(reply.chunk({"content": heard.text}, tokens, **more))
                if isinstance(heard, Ended):
                    break
                heard = await self._next(events, gone)
        except ApiFault as fault:  # too late for a status
            await self._put(event(fault.to_json()), is_last=True)
            raise _Gone from None
        await self._put(reply.chunk({}, None, heard.reason, **more))
        if wanted.with_usage:
            await self._put(reply.last_chunk(heard.answer_tokens))
        await self._put(DONE, is_last=True)
        return heard

    async def _put(self, body: bytes, is_last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})

    async def _next(self, events: asyncio.Queue[Event], gone: asyncio.Future[None]) -> Piece | Ended:
        """What the engine says next. Raises _Gone where the client leaves first, ApiFault where it fails."""
        hearing = asyncio.ensure_future(events.get())
        try:
            both: list[asyncio.Future[Any]] = [hearing, gone]
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done():
                raise _Gone
        finally:
            if not hearing.done():
                hearing.cancel()
        heard = hearing.result()
        if isinstance(heard, Failed):
            raise ApiFault(503, heard.words, None, "failed", BROKEN, 5)
        return heard

    async def _until_gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _impatiently(send: Send) -> Send:
    """Sends to a client that takes what it is sent. Raises _Gone where it does not."""

    async def limited(message: Any) -> None:
        try:
            await asyncio.wait_for(send(message), PATIENCE_S)
        except (asyncio.TimeoutError, OSError):
            raise _Gone from None

    return limited
