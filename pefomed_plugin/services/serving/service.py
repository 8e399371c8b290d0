"""What a request passes on its way to the engine: the key, the count of those who are there, and being understood.

No text of a request, no key and no name of an image is written anywhere.
"""

from __future__ import annotations

import asyncio
import hmac
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Callable

from starlette.requests import Request

from ...errors import PefomedError
from ...json_text import JsonFault, parse_json
from ..outbound import Passage
from .engine import Engine, Question, Ready
from .faults import BROKEN, BUSY, ApiFault, wrong
from .images import ImageReader
from .messages import read_messages, require_number
from .metrics import Metrics
from .parameters import Wanted, read_parameters, require_model
from .responses import Reply
from .tasks import choose_task

PATIENCE_S = 60.0
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
    """What all requests share."""

    def __init__(self, engine: Engine, settings: Settings, metrics: Metrics) -> None:
        self.engine, self.settings, self.metrics = engine, settings, metrics
        self.in_flight = 0
        """Requests that were let in and are not through."""
        self.is_stopping = False
        """New ones are refused from now on."""
        self._buffered = 0
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="reader")

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
            await asyncio.wait_for(self._read(request, parts), PATIENCE_S)
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
        notes, limit = list(spoken.notes), engine.limits[task]
        if wanted.most_tokens is not None and wanted.most_tokens > limit:
            notes.append(f"an answer to [{task}] has at most {limit} tokens here")
        is_whole = not wanted.stop and (wanted.most_tokens is None or wanted.most_tokens >= limit)
        images = {part.name: settings.reader.read(part) for part in spoken.images}
        question = Question(task, text, images, wanted.most_tokens, wanted.stop, wanted.top, wanted.streams)
        try:
            ready = engine.prepare(question)
        except PefomedError as error:
            code = "context_length_exceeded" if getattr(error, "too_long", False) else "invalid_value"
            raise wrong(spoken.text_param, str(error), code) from None
        reply = Reply(settings.model, settings.fingerprint, task, notes, ready.prompt_tokens, is_whole)
        return Chat(ready, reply, wanted)
