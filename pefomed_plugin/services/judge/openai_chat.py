"""Questions to a server through the ``openai`` package's asynchronous client: any compatible one, or Azure.

One event loop in a thread of its own sends everything, so that a request has one time for all of it and can be let go
at any moment. The SDK's own retries are off: it repeats what will never succeed (an exhausted quota) and ignores a
Retry-After above two minutes. No message of ours holds the key or a word of what was sent or answered; servers quote
both.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import threading
import time
import weakref
from collections.abc import Awaitable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Callable

from ...errors import ConfigError
from ..console import say
from ..outbound import CHAT, Way, open_passage
from .chat import RESPONSES, ChatRequest, Gate, NoReply, RefusedRequest, Reply, ServiceError, closing_on_error
from .refusals import REFUSALS_OF_TEXTS, fault_of_text, refused_parameter, smaller_limit, words_of
from .server import MOST_BYTES, TooLarge, make_client, most_bytes, secrets, texts_sent
from .statuses import Refusals, is_temporary, sent_on
from .wire import body_of, read_body

MAX_TRIES = 8
"""Requests for one reply before it is left for the next start; waits between them add up to about a minute."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0


class OpenAIChat:
    """Asks one server; safe to call from many threads.

    Args:
        timeout_s: of one request, from its first byte to the last one of its answer.
        leave_out: of ``OPTIONAL``, what is not sent.

    Raises:
        ConfigError: the ``openai`` package or the key is missing, or what is given cannot be used.
    """

    def __init__(
        self,
        timeout_s: float = 120.0,
        max_tries: int = MAX_TRIES,
        first_wait_s: float = FIRST_WAIT_S,
        leave_out: Sequence[str] = (),
    ) -> None:
        if not (0 < timeout_s < math.inf):
            raise ConfigError(f"--timeout is seconds above 0, not {timeout_s}")
        self._client, self.server, self._exit = make_client(timeout_s)
        self.timeout_s = timeout_s
        self._max_tries, self._first_wait_s = max_tries, first_wait_s
        self._refusals = Refusals(self.server, leave_out)
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True, name="requests").start()
        weakref.finalize(self, self._loop.call_soon_threadsafe, self._loop.stop)

    def clear(
        self,
        datasets: Iterable[str],
        given: bool = False,
        origins: Mapping[str, str] | None = None,
        way: Way = CHAT,
    ) -> None:
        """Ask the gate whether texts of these data sets may go to the server; before that nothing leaves this machine.

        Raises:
            ConfigError: as ``open_passage``.
        """
        self._exit.passage = open_passage(
            way, self.destination, datasets, is_local=self.is_local, given=given, origins=origins
        )

    @property
    def is_local(self) -> bool:
        """Whether the texts stay on this machine."""
        return self.server.is_local

    @property
    def destination(self) -> str:
        """Where they go."""
        return self.server.destination

    def starter(self, concurrency: int) -> Callable[[ChatRequest, Gate], Future[Reply]]:
        """The function that starts a question; at most ``concurrency`` are under way. Raises as ``ask``."""

        async def make_slots() -> asyncio.Semaphore:
            return asyncio.Semaphore(concurrency)

        slots = self._run(make_slots())

        async def ask(question: ChatRequest, gate: Gate) -> Reply:
            async with slots:
                with closing_on_error(gate):
                    return await self._ask(question, gate)

        return lambda question, gate: asyncio.run_coroutine_threadsafe(ask(question, gate), self._loop)

    def ask(self, question: ChatRequest, gate: Gate) -> Reply:
        """One reply, repeated over temporary faults.

        Raises:
            NoReply: the server's faults outlasted the tries.
            RefusedRequest: the server refuses this request, for whatever reason.
            Halted: the gate was closed.
            ServiceError: nothing can be answered: no quota, a wrong key, an unknown model.
        """
        return self._run(self._ask(question, gate))

    def body(self, question: ChatRequest) -> dict[str, Any]:
        """A request's body, without what the server is known to refuse."""
        return body_of(question, self._refusals.left_out(question))

    def call(
        self,
        function: Callable[[Any], Awaitable[Any]],
        limit_s: float | None = None,
        most: int = MOST_BYTES,
        texts: int = 0,
    ) -> Any:
        """What ``function`` makes of the client, in another corner of the API.

        Args:
            limit_s: time for all of it; None: that of a request.
            most: bytes of an answer.
            texts: how many are sent.

        Raises:
            ServiceError: the server refuses, or stays away over several tries.
        """
        import openai  # late: optional

        async def limited() -> Any:
            most_bytes.set(most)
            texts_sent.set(texts)
            return await asyncio.wait_for(function(self._client), limit_s or self.timeout_s)

        for number in range(self._max_tries):
            try:
                return self._run(limited())
            except openai.APIStatusError as error:
                fault = f"status {error.status_code}{sent_on(error)}"
                if not is_temporary(error.status_code):
                    break
            except TooLarge:
                fault = f"its answer is larger than {most:,} bytes"
                break
            except (openai.APIConnectionError, asyncio.TimeoutError):
                fault = "no connection"
            time.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2**number))
        raise ServiceError(
            f"{self.server.host} does not do it ({fault}); start the same command again to go on"
        ) from None

    def read_batch_line(self, record: Mapping[str, Any], question: ChatRequest) -> tuple[Reply | None, bool]:
        """The reply of one line of a batch's results, and whether the line changes what is asked next.

        Raises:
            RefusedRequest: the server refuses it, for whatever reason.
        """
        model = question.parameters["model"]
        response = record.get("response")
        response = response if isinstance(response, dict) else {}
        body: Any = response.get("body")
        body = body if isinstance(body, dict) else {}
        if response.get("status_code") == 200:
            reply, _ = _understand(json.dumps(body).encode(), self._refusals.left_out(question), question.endpoint)
            return reply, reply is not None
        status, said = response.get("status_code"), words_of(body, "")
        if status in REFUSALS_OF_TEXTS:
            refused = refused_parameter(body, said, question.parameters, self._refusals.left_out(question))
            if refused:
                self._refusals.learn(model, refused)
                return None, True
            final = fault_of_text(status, said)
            if final:
                return final, True
            raise RefusedRequest(f"refused by the server (status {status})")
        return None, False

    def _run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What a coroutine gives, run on the loop; it is let go when this thread is interrupted."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        finally:
            future.cancel()

    async def _ask(self, question: ChatRequest, gate: Gate) -> Reply:
        import openai  # late: optional

        faults = 0
        limits: dict[str, int] = {}
        while True:
            await gate.enter_async()
            left_out = self._refusals.left_out(question)
            asked = replace(question, parameters={**question.parameters, **limits}) if limits else question
            dropped = (*left_out, *(f"{name} {value}" for name, value in limits.items()))
            try:
                content = await asyncio.wait_for(self._send(asked, left_out), self.timeout_s)
                reply, fault = _understand(content, dropped, question.endpoint)
                if reply is not None:
                    return reply
            except openai.APIStatusError as error:
                said = words_of(error.body, error.response.text)
                smaller = smaller_limit(said, asked.parameters, left_out)
                if smaller is not None:
                    limits = smaller
                    continue
                reply, fault = self._refusals.judge(error, said, question, left_out, gate)
                if reply is not None:
                    return reply
                if not fault:  # asked at once without what was refused
                    continue
            except TooLarge:
                return Reply(None, f"larger than {MOST_BYTES:,} bytes, and not read to its end", dropped=dropped)
            except (openai.APITimeoutError, asyncio.TimeoutError):
                fault = "time-out"
            except openai.APIConnectionError as error:
                fault = f"no connection ({type(error.__cause__ or error).__name__})"
            finally:
                gate.leave()
            faults += 1
            if faults >= self._max_tries:
                raise NoReply(fault)
            wait_s = min(LONGEST_WAIT_S, self._first_wait_s * 2 ** (faults - 1))
            await gate.sleep_async(wait_s * random.uniform(0.75, 1.25))

    async def _send(self, question: ChatRequest, left_out: Sequence[str]) -> bytes:
        """The body of an answer with status 200."""
        body = body_of(question, left_out)
        texts_sent.set(len(question.messages))
        # As extra_body: the SDK's walk through typed messages is a quarter of a request's time.
        if question.endpoint == RESPONSES:
            corner, given = self._client.responses, {"model": body["model"]}
        else:
            corner, given = self._client.chat.completions, {"model": body["model"], "messages": []}
        raw = await corner.with_raw_response.create(**given, extra_body=body)
        return bytes(raw.http_response.content)

    def require(self, endpoint: str) -> None:
        """Say what an endpoint does not do. Raises ConfigError if the installed ``openai`` knows nothing of it."""
        if endpoint != RESPONSES:
            return
        if not hasattr(self._client, "responses"):
            raise ConfigError("this version of openai has no Responses API; pip install -U openai")
        say("the Responses API takes no seed: repeated runs differ by chance alone")


def _understand(content: bytes, dropped: Sequence[str], endpoint: str) -> tuple[Reply | None, str]:
    """What an answer says; what cannot be understood at all was paid for too, and is kept as it came."""
    text = content.decode("utf-8", "replace")
    for secret in secrets():
        text = text.replace(secret, "[key]")
    try:
        return read_body(text.encode(), dropped, endpoint)
    except Exception as error:
        return Reply(None, f"not understood ({type(error).__name__})", dropped=tuple(dropped), raw=text), ""
