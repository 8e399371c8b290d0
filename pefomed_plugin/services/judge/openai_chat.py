"""Chat completions through the ``openai`` package: any compatible server by ``OPENAI_BASE_URL``, or Azure.

The SDK's own retries are off: it repeats what will never succeed (an exhausted quota) and ignores a Retry-After above
two minutes. No message of ours holds the key or a word of what was sent or answered; servers quote both.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable
from urllib.parse import urlsplit

from ...errors import ConfigError, PefomedError
from ...requirements import Need
from ..console import say
from .chat import ChatRequest, Gate, NoReply, RefusedRequest, Reply
from .responses import (
    OF_THE_KEY,
    OPTIONAL,
    REFUSALS_OF_TEXTS,
    SYSTEM,
    fault_of_text,
    read_body,
    refused_parameter,
    retry_after_s,
    smaller_limit,
    without_system,
    words_of,
)

OPENAI = Need("openai", "questions to a server", "openai")
MAX_TRIES = 8
"""Requests for one reply before it is left for the next start; waits between them add up to about a minute."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
_TEMPORARY = (408, 409, 425, 429)
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class ServiceError(PefomedError):
    """The server refuses what we ask for altogether: key, quota, model or parameters."""


class OpenAIChat:
    """Asks one server; safe to call from many threads.

    Raises:
        ConfigError: the ``openai`` package or the key is missing.
    """

    def __init__(
        self,
        timeout_s: float = 120.0,
        max_tries: int = MAX_TRIES,
        first_wait_s: float = FIRST_WAIT_S,
        leave_out: Sequence[str] = (),
    ) -> None:
        self._client = _make_client(timeout_s)
        self._max_tries, self._first_wait_s = max_tries, first_wait_s
        self._leave_out = tuple(leave_out)
        self._dropped: dict[str, tuple[str, ...]] = {}
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """Where the texts go."""
        return urlsplit(str(self._client.base_url)).hostname or ""

    @property
    def is_local(self) -> bool:
        """Whether they stay on this machine."""
        return self.host in _LOCAL_HOSTS

    def ask(self, question: ChatRequest, gate: Gate) -> Reply:
        """One reply, repeated over temporary faults.

        Raises:
            NoReply: the server's faults outlasted the tries.
            RefusedRequest: the server refuses this request, for whatever reason.
            Halted: the gate was closed.
            ServiceError: nothing can be answered: no quota, a wrong key, an unknown model.
        """
        import openai  # late: optional

        model, fault = question.parameters["model"], ""
        limits: dict[str, int] = {}
        for number in range(self._max_tries + len(OPTIONAL)):
            if number and not fault.startswith("refused"):
                gate.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2 ** (number - 1)) * random.uniform(0.75, 1.25))
            gate.enter()
            left_out = self._left_out(model)
            dropped = (*left_out, *(f"{name} {value}" for name, value in limits.items()))
            try:
                # As extra_body: the SDK's walk through typed messages is a quarter of a request's time.
                raw = self._client.chat.completions.with_raw_response.create(
                    model=model, messages=[], extra_body={**_body(question, left_out), **limits}
                )
                reply, fault = read_body(raw.http_response.content, dropped)
                if reply is not None:
                    return reply
            except openai.APIStatusError as error:
                said = words_of(error.body, error.response.text)
                smaller = smaller_limit(said, {**question.parameters, **limits}, left_out)
                if smaller is not None:
                    limits, fault = smaller, "refused limit"
                    continue
                reply, fault = self._judge_status(error, said, question, left_out, gate)
                if reply is not None:
                    return reply
            except openai.APITimeoutError:
                fault = "time-out"
            except openai.APIConnectionError as error:
                fault = f"no connection ({type(error.__cause__ or error).__name__})"
        raise NoReply(fault)

    def body(self, question: ChatRequest) -> dict[str, Any]:
        """A request's body, without what the server is known to refuse."""
        return _body(question, self._left_out(question.parameters["model"]))

    def _left_out(self, model: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self._leave_out, *self._dropped.get(model, ()))))

    def call(self, function: Callable[[Any], Any]) -> Any:
        """What ``function`` makes of the client, in another corner of the API.

        Raises:
            ServiceError: the server refuses, or stays away over several tries.
        """
        import openai  # late: optional

        for number in range(self._max_tries):
            try:
                return function(self._client)
            except openai.APIStatusError as error:
                fault = f"status {error.status_code}"
                if error.status_code not in _TEMPORARY and error.status_code < 500:
                    break
            except openai.APIConnectionError:
                fault = "no connection"
            time.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2**number))
        raise ServiceError(f"{self.host} does not do it ({fault}); start the same command again to go on") from None

    def read_batch_line(self, record: Mapping[str, Any], question: ChatRequest) -> tuple[Reply | None, bool]:
        """The reply of one line of a batch's results, and whether the line changes what is asked next.

        Raises:
            RefusedRequest: the server refuses it, for whatever reason.
        """
        model = question.parameters["model"]
        response = record.get("response") or {}
        body: dict[str, Any] = response.get("body") or {}
        if response.get("status_code") == 200:
            reply, _ = read_body(json.dumps(body).encode(), self._left_out(model))
            return reply, reply is not None
        status, said = response.get("status_code") or 0, words_of(body, "")
        if status in REFUSALS_OF_TEXTS:
            refused = refused_parameter(body, said, question.parameters, self._left_out(model))
            if refused:
                self._drop(model, refused)
                return None, True
            final = fault_of_text(status, said)
            if final:
                return final, True
            raise RefusedRequest(f"refused by the server (status {status})")
        return None, False

    def _judge_status(
        self, error: Any, said: str, question: ChatRequest, left_out: Sequence[str], gate: Gate
    ) -> tuple[Reply | None, str]:
        """A reply that is final, or the name of a fault worth another try.

        Raises:
            RefusedRequest: a refusal that may be about this text alone.
            ServiceError: one that is about all of them.
        """
        status: int = error.status_code
        if "insufficient_quota" in said or "billing_hard_limit" in said:
            raise ServiceError("the account's quota is used up; raise it, then start the same command again") from None
        refused = refused_parameter(error.body, said, question.parameters, left_out)
        if refused and (status in (400, 422) or refused == SYSTEM):
            self._drop(question.parameters["model"], refused)
            return None, f"refused parameter {refused}"
        if status in _TEMPORARY or status >= 500:
            wait_s = retry_after_s(error.response.headers)
            if wait_s:
                gate.pause_all(wait_s)
            return None, f"status {status}"
        final = fault_of_text(status, said)
        if final:
            return final, ""
        remedy = {
            401: "OPENAI_API_KEY is not valid there",
            403: "the key may not use this model",
            404: f"it does not know {question.parameters['model']!r}, or OPENAI_BASE_URL lacks /v1",
        }.get(status, "see the server's log")
        if status in REFUSALS_OF_TEXTS and not (status == 403 and OF_THE_KEY.search(said)):
            raise RefusedRequest(f"refused by {server_url()} (status {status}): {remedy}")
        raise ServiceError(f"{server_url()} refuses the request (status {status}): {remedy}") from None

    def _drop(self, model: str, parameter: str) -> None:
        with self._lock:
            known = self._dropped.get(model, ())
            if parameter not in known:
                self._dropped[model] = (*known, parameter)
                what = "a system message" if parameter == SYSTEM else f"the parameter {parameter}"
                say(f"{model} refuses {what}; asked without it, and noted in the ledger")


def _make_client(timeout_s: float) -> Any:
    try:
        import openai  # late: optional
    except ImportError:
        raise ConfigError(f"{OPENAI.message}; or use --judge offline") from None
    for name in ("openai", "httpx", "httpx2", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)  # below that they write whole requests
    if os.environ.get("AZURE_OPENAI_ENDPOINT"):
        missing = [
            f"{name} is not set" for name in ("AZURE_OPENAI_API_KEY", "OPENAI_API_VERSION") if not os.environ.get(name)
        ]
        if missing:
            raise ConfigError("AZURE_OPENAI_ENDPOINT is set, but Azure needs more", missing)
        return openai.AzureOpenAI(max_retries=0, timeout=timeout_s)
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        host = urlsplit(os.environ.get("OPENAI_BASE_URL", "")).hostname
        if host not in _LOCAL_HOSTS:
            raise ConfigError("OPENAI_API_KEY is not set; for a server without keys set it to any word")
        key = "unused"
    return openai.OpenAI(api_key=key, max_retries=0, timeout=timeout_s)


def server_url() -> str:
    """Base URL of the server that the environment names, without what may be secret in it."""
    environ = os.environ
    url = environ.get("AZURE_OPENAI_ENDPOINT") or environ.get("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path.rstrip('/')}"


def _body(question: ChatRequest, left_out: Sequence[str]) -> dict[str, Any]:
    return {
        **{name: value for name, value in question.parameters.items() if name not in left_out},
        "messages": without_system(question.messages) if SYSTEM in left_out else list(question.messages),
    }
