"""A refusal as OpenAI's clients expect it: a status, and ``error`` with message, type, param and code."""

from __future__ import annotations

import traceback
from typing import Any

from ...errors import printable

INVALID, BUSY, BROKEN = "invalid_request_error", "rate_limit_error", "server_error"


class ApiFault(Exception):
    """Ends a request. The message may name what was sent, but quotes no text of it."""

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        kind: str = INVALID,
        retry_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.param, self.code, self.kind = status, printable(message), param, code, kind
        self.retry_s = retry_s

    @property
    def headers(self) -> dict[str, str]:
        """What goes with it."""
        return {} if self.retry_s is None else {"Retry-After": str(self.retry_s)}

    def to_json(self) -> dict[str, Any]:
        """The body of the answer."""
        return {"error": {"message": self.message, "type": self.kind, "param": self.param, "code": self.code}}


def wrong(param: str, message: str, code: str | None = None) -> ApiFault:
    """400 for one parameter."""
    return ApiFault(400, f"{param}: {message}", param, code)


def inner_fault() -> ApiFault:
    """500; of a fault of ours, whose own words may hold what was sent."""
    return ApiFault(500, "the server failed; tell who runs it", None, "internal_error", BROKEN)


def raised_at(error: BaseException) -> str:
    """File and line where an error was raised: what a log may say of it. Its own words may quote a question."""
    places = traceback.extract_tb(error.__traceback__)
    return f"{places[-1].filename}, line {places[-1].lineno}" if places else ""
