"""The addresses of the server: who may ask, what is read, how an answer goes out. Which model answers is the engine's.

No text of a request or an answer, no key and no name of an image is written anywhere.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import ImageError, PefomedError
from ...json_text import JsonFault, parse_json
from ..console import say
from ..outbound import Passage
from ..web_guard import HostCheck, NotedAnswers
from .engine import Ended, Engine, Event, Failed, Full, Piece, Question, Ready
from .faults import BROKEN, BUSY, ApiFault, wrong
from .images import ImageReader
from .messages import read_messages, require_number
from .metrics import Metrics
from .parameters import Wanted, read_parameters, require_model
from .responses import DONE, Reply, event
from .tasks import choose_task

_PATIENCE_S = 60.0
"""A body must have come within that time, and a client must take what it is sent."""
_BUFFERED_BODIES = 16
"""As many of the longest bodies may be in memory at once."""
_READERS = 4
"""Threads that parse bodies and open images."""


@dataclass
class Settings:
    """How the server was started."""

    model: str
    """As clients name it."""
    fingerprint: str
    default_task: str
    most_body: int
    """Bytes."""
    most_requests: int
    """That are answered or wait."""
    reader: ImageReader
    passage: Passage
    """Of the gate, for other machines."""
    key: str = ""
    host: str = "127.0.0.1"
    notice: str = ""
    created: int = field(default_factory=lambda: int(time.time()))
    workers: Callable[[], dict[str, int]] = field(default=lambda: {"alive": 1, "of": 1})


@dataclass
class Chat:
    """A request that was understood."""

    ready: Ready
    reply: Reply
    wanted: Wanted


class Service:
    """What the addresses share."""

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics) -> None:
        self.engine, self.settings, self.metrics = engine, settings, metrics
        self.in_flight = 0
        """Requests that were let in and are not through."""
        self.is_stopping = False
        """New ones are refused from now on."""
        self._buffered = 0
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

    def app(self) -> ASGIApp:
        """The application."""
        guard = [Middleware(HostCheck, listens_on=self.settings.host)] if not self.settings.key else []
        app = Starlette(
            routes=[
                Route("/v1/chat/completions", _Completions(self), methods=["POST"]),
                Route("/v1/models", self._models),
                Route("/v1/models/{model:path}", self._model),
                Route("/health", self._health),
                Route("/metrics", self._metrics),
            ],
            middleware=[*guard, Middleware(NotedAnswers, passage=self.settings.passage)],
            exception_handlers={HTTPException: _not_here, ApiFault: _refuse, Exception: _broken},
        )
        app.router.redirect_slashes = False
        return app

    def require_key(self, request: Request) -> None:
        """Raises ApiFault 401 without the right key; comparing takes equally long for every wrong one."""
        if not self.settings.key:
            return
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        fits = hmac.compare_digest(given.strip().encode(), self.settings.key.encode())
        if kind.lower() != "bearer" or not fits:
            raise ApiFault(401, "the key is missing or wrong; send Authorization: Bearer KEY", None, "invalid_api_key")

    def let_in(self) -> None:
        """Raises ApiFault 503 while the server stops, 429 where as many are there as may be; else it is counted."""
        if self.is_stopping or self.engine.fault:
            words = self.engine.fault or "the server is being stopped"
            raise ApiFault(503, f"{words}; ask again later", None, "stopping", BROKEN, 5)
        if self.in_flight >= self.settings.most_requests:
            raise self.busy(self.engine.retry_s())
        self.in_flight += 1

    def busy(self, retry_s: int) -> ApiFault:
        """The refusal of one too many."""
        return ApiFault(429, f"the queue is full; ask again in {retry_s} s", None, "queue_full", BUSY, retry_s)

    async def understand(self, request: Request) -> Chat:
        """Raises ApiFault where the request is none that can be answered."""
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "application/json":  # no form of a web site can send this
            raise ApiFault(415, "a request is sent as Content-Type: application/json", None, "unsupported_media_type")
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise ApiFault(415, "a compressed body cannot be taken", None, "unsupported_media_type")
        parts: list[bytes] = []
        try:
            await asyncio.wait_for(self._read(request, parts), _PATIENCE_S)
            return await asyncio.get_running_loop().run_in_executor(self._readers, self._parse, b"".join(parts))
        except asyncio.TimeoutError:
            raise ApiFault(408, "the body did not come", None, "timeout") from None
        finally:
            self._buffered -= sum(map(len, parts))

    async def _read(self, request: Request, parts: list[bytes]) -> None:
        most, length = self.settings.most_body, request.headers.get("content-length", "")
        too_long = ApiFault(413, f"a body has at most {most:,} bytes (--max-body)", None, "body_too_large")
        if length.isascii() and length.isdigit() and (len(length) > 15 or int(length) > most):
            raise too_long
        size = 0
        async for part in request.stream():
            parts.append(part)
            size += len(part)
            self._buffered += len(part)
            if size > most:
                raise too_long
            if self._buffered > _BUFFERED_BODIES * most:
                raise self.busy(self.engine.retry_s())

    def _parse(self, content: bytes) -> Chat:
        try:
            body = parse_json(content)
        except JsonFault as fault:
            words = "; ".join(fault.at("the body")[:3])
            raise ApiFault(400, f"{words}; a request is a JSON object", None, "invalid_json") from None
        if not isinstance(body, dict):
            raise ApiFault(400, "a request is a JSON object", None, "invalid_json")
        engine, settings = self.engine, self.settings
        require_model(body, settings.model)
        wanted = read_parameters(body)
        spoken = read_messages(body.get("messages"))
        task, text = choose_task(spoken, engine.tasks, engine.instructions, settings.default_task)
        require_number(len(spoken.images), engine.most_images[task], task, spoken.text_param)
        notes = list(spoken.notes)
        if wanted.most_tokens is not None and wanted.most_tokens > engine.limits[task]:
            notes.append(f"an answer to [{task}] has at most {engine.limits[task]} tokens here")
        images = {part.name: settings.reader.read(part) for part in spoken.images}
        question = Question(task, text, images, wanted.most_tokens, wanted.stop, wanted.top, wanted.streams)
        try:
            ready = engine.prepare(question)
        except ImageError as error:
            raise ApiFault(400, str(error), spoken.text_param, "invalid_image") from None
        except PefomedError as error:
            code = "context_length_exceeded" if getattr(error, "too_long", False) else "invalid_value"
            raise wrong(spoken.text_param, str(error), code) from None
        return Chat(ready, Reply(settings.model, settings.fingerprint, task, notes, ready.prompt_tokens), wanted)

    def _described(self) -> dict[str, Any]:
        engine, settings = self.engine, self.settings
        return {
            "id": settings.model,
            "object": "model",
            "created": settings.created,
            "owned_by": "pefomed_plugin",
            "pefomed": {
                "tasks": list(engine.tasks),
                "default_task": settings.default_task,
                "image_size": engine.image_size,
                "most_images": dict(engine.most_images),
                "most_answer_tokens": dict(engine.limits),
                "notice": settings.notice,
            },
        }

    async def _models(self, request: Request) -> Response:
        self.require_key(request)
        return JSONResponse({"object": "list", "data": [self._described()]})

    async def _model(self, request: Request) -> Response:
        self.require_key(request)
        require_model({"model": request.path_params["model"]}, self.settings.model)
        return JSONResponse(self._described())

    async def _health(self, request: Request) -> Response:
        """For load balancers: 200 while requests are taken. Needs no key, and says nothing of the model."""
        status = "failed" if self.engine.fault else "stopping" if self.is_stopping else "ok"
        found = {"status": status, "waiting": self.engine.waiting, "running": self.engine.running}
        workers = self.settings.workers()
        return JSONResponse({**found, "workers": workers}, 200 if status == "ok" else 503)

    async def _metrics(self, request: Request) -> Response:
        self.require_key(request)
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


class _Completions:
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
            say(f"error: a request failed with {type(error).__name__}, {_line_of(error)}")
            status = 500
            if not answer.has_begun:
                await JSONResponse(_inner_fault().to_json(), 500, {"Connection": "close"})(scope, receive, send)
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
            await asyncio.wait_for(send(message), _PATIENCE_S)
        except (asyncio.TimeoutError, OSError):
            raise _Gone from None

    return limited


def _inner_fault() -> ApiFault:
    return ApiFault(500, "the server failed; tell who runs it", None, "internal_error", BROKEN)


def _line_of(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}"


async def _refuse(_: Request, fault: Any) -> Response:
    return JSONResponse(fault.to_json(), fault.status, fault.headers)


async def _not_here(request: Request, refused: Any) -> Response:
    words = "there is nothing here; ask POST /v1/chat/completions, GET /v1/models, /health, /metrics"
    if refused.status_code == 405:
        words = "this address is asked with another method"
    fault = ApiFault(refused.status_code, words, None, "not_found" if refused.status_code == 404 else "method")
    return JSONResponse(fault.to_json(), fault.status, {**(refused.headers or {}), "Connection": "close"})


async def _broken(_: Request, error: Exception) -> Response:
    say(f"error: a request failed with {type(error).__name__}, {_line_of(error)}")
    return JSONResponse(_inner_fault().to_json(), 500)
