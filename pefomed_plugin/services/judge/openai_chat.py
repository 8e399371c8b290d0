"""Chat completions through the ``openai`` package: any compatible server by ``OPENAI_BASE_URL``, or Azure.

The SDK's own retries are off: it repeats what will never succeed (an exhausted quota) and ignores a Retry-After above
two minutes. No message of ours holds the key or a word of what was sent or answered; servers quote both.
"""

from __future__ import annotations

import json
import logging
import math
import os
import random
import re
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any, Callable
from urllib.parse import urlsplit

from ...errors import ConfigError, PefomedError
from ..console import say
from .chat import ChatRequest, NoReply, Reply
from .gate import Gate

MAX_TRIES = 8
"""Requests for one reply before it is left for the next start; waits between them add up to about a minute."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
LONGEST_RETRY_AFTER_S = 3600.0
_OPTIONAL = ("temperature", "seed", "max_tokens", "max_completion_tokens", "top_p")
"""Parameters without which a question still makes sense."""
_TEMPORARY = (408, 409, 425, 429)
_OF_ONE_TEXT = {
    "content_filter": "filtered before it was answered",
    "context_length_exceeded": "too long for the model",
}
_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


class ServiceError(PefomedError):
    """The server refuses what we ask for altogether: key, quota, model or parameters."""


class OpenAIChat:
    """Asks one server; safe to call from many threads.

    Raises:
        ConfigError: the ``openai`` package or the key is missing.
    """

    def __init__(
        self, timeout_s: float = 120.0, max_tries: int = MAX_TRIES, first_wait_s: float = FIRST_WAIT_S
    ) -> None:
        self._client = _make_client(timeout_s)
        self._max_tries, self._first_wait_s = max_tries, first_wait_s
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
            Halted: the gate was closed.
            ServiceError: nothing can be answered: no quota, a wrong key, an unknown model, a refused request.
        """
        import openai  # late: optional

        model, fault = question.parameters["model"], ""
        for number in range(self._max_tries):
            if number and not fault.startswith("refused parameter"):
                gate.sleep(min(LONGEST_WAIT_S, self._first_wait_s * 2 ** (number - 1)) * random.uniform(0.75, 1.25))
            dropped = self._dropped.get(model, ())
            gate.enter()
            try:
                # As extra_body: the SDK's walk through typed messages is a quarter of a request's time.
                raw = self._client.chat.completions.with_raw_response.create(
                    model=model, messages=[], extra_body=self.body(question)
                )
                reply, fault = _read_body(raw.http_response.content, dropped)
                if reply is not None:
                    return reply
            except openai.APIStatusError as error:
                reply, fault = self._judge_status(error, question, gate)
                if reply is not None:
                    return reply
            except openai.APITimeoutError:
                fault = "time-out"
            except openai.APIConnectionError as error:
                fault = f"no connection ({type(error.__cause__ or error).__name__})"
        raise NoReply(fault)

    def body(self, question: ChatRequest) -> dict[str, Any]:
        """A request's body, without what the server is known to refuse."""
        dropped = self._dropped.get(question.parameters["model"], ())
        return {
            **{name: value for name, value in question.parameters.items() if name not in dropped},
            "messages": list(question.messages),
        }

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
        """The reply of one line of a batch's results, and whether the line changes what is asked next."""
        model = question.parameters["model"]
        response = record.get("response") or {}
        body: dict[str, Any] = response.get("body") or {}
        if response.get("status_code") == 200:
            reply, _ = _read_body(json.dumps(body).encode(), self._dropped.get(model, ()))
            return reply, reply is not None
        error: dict[str, Any] = body["error"] if isinstance(body.get("error"), dict) else {}
        final = _final_fault(response.get("status_code") or 0, error)
        if final:
            return final, True
        refused = _refused_parameter(error, question.parameters)
        if response.get("status_code") in (400, 422) and refused:
            self._drop(model, refused)
            return None, True
        return None, False

    def _judge_status(self, error: Any, question: ChatRequest, gate: Gate) -> tuple[Reply | None, str]:
        """A reply that is final, or the name of a fault worth another try. Raises ServiceError for the others."""
        status: int = error.status_code
        body: dict[str, Any] = dict(error.body) if isinstance(error.body, dict) else {}
        code = str(body.get("code") or body.get("type") or "")
        if code in ("insufficient_quota", "billing_hard_limit_reached") or body.get("type") == "insufficient_quota":
            raise ServiceError("the account's quota is used up; raise it, then start the same command again") from None
        if status in _TEMPORARY or status >= 500:
            wait_s = _retry_after_s(error.response.headers)
            if wait_s:
                gate.pause_all(wait_s)
            return None, f"status {status}"
        final = _final_fault(status, body)
        if final:
            return final, ""
        refused = _refused_parameter(body, question.parameters)
        if status in (400, 422) and refused:
            self._drop(question.parameters["model"], refused)
            return None, f"refused parameter {refused}"
        mend = {
            401: "OPENAI_API_KEY is not valid there",
            403: "the key may not use this model",
            404: f"it does not know {question.parameters['model']!r}, or OPENAI_BASE_URL lacks /v1",
        }
        raise ServiceError(
            "{} refuses the request (status {}{}): {}".format(
                self.host,
                status,
                ", " + code if code.replace("_", "").isalnum() else "",
                mend.get(status, "see the server's log"),
            )
        ) from None

    def _drop(self, model: str, parameter: str) -> None:
        with self._lock:
            known = self._dropped.get(model, ())
            if parameter not in known:
                self._dropped[model] = (*known, parameter)
                say(f"{model} refuses the parameter {parameter}; asked without it, and noted in the ledger")


def _make_client(timeout_s: float) -> Any:
    try:
        import openai  # late: optional
    except ImportError:
        raise ConfigError(
            "asking a server needs the openai package: pip install openai; or use --judge offline"
        ) from None
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


def _final_fault(status: int, error: Mapping[str, Any]) -> Reply | None:
    """The reply that stands for an error which concerns one text only, and would come again."""
    code = error.get("code")
    if "maximum context length" in str(error.get("message")):  # vLLM gives no code
        code = "context_length_exceeded"
    fault = _OF_ONE_TEXT.get(str(code))
    return Reply(None, fault, final=True) if status == 400 and fault else None


def _read_body(content: bytes, dropped: tuple[str, ...]) -> tuple[Reply | None, str]:
    """The reply of a response with status 200, or what is wrong with it."""
    try:
        body = json.loads(content)
    except ValueError:
        return None, "the answer is no JSON"
    choices = body.get("choices") if isinstance(body, dict) else None
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return None, "the answer has no choices"
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    text, fault = message.get("content"), None
    if message.get("refusal"):
        fault = "the model refused"
    elif choice.get("finish_reason") == "length":
        fault = "cut off"
    elif choice.get("finish_reason") == "content_filter":
        fault = "filtered"
    elif not isinstance(text, str) or not text.strip():
        fault = "empty reply"
    return Reply(
        None if fault else text,
        fault,
        body.get("model"),
        body.get("system_fingerprint"),
        choice.get("finish_reason"),
        {name: usage[name] for name in ("prompt_tokens", "completion_tokens") if isinstance(usage.get(name), int)},
        dropped,
    ), ""


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, 0 where it does not say."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value:
            try:
                wait_s = float(value) * unit_s
            except ValueError:
                try:
                    moment = parsedate_to_datetime(value)
                except (TypeError, ValueError):
                    continue
                wait_s = (moment - datetime.now(moment.tzinfo or timezone.utc)).total_seconds()
            if math.isfinite(wait_s):
                return min(max(wait_s, 0.0), LONGEST_RETRY_AFTER_S)
    return 0.0


def _refused_parameter(body: Mapping[str, Any], parameters: Mapping[str, Any]) -> str | None:
    """Which of our optional parameters an error is about."""
    names: list[str] = [name for name in _OPTIONAL if name in parameters]
    if body.get("param") in names:
        return str(body["param"])
    words = re.findall(r"\w+", str(body.get("message") or ""))
    return next((name for name in names if name in words), None)
