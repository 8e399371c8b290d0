"""A chat-completions server on 127.0.0.1 that answers by rule and plays whatever fault a test asks for."""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Callable

Handled = tuple[int, bytes, Mapping[str, str]]
"""Status (0: close the connection without an answer), body, headers."""
Rule = Callable[[dict[str, Any], int], Handled]
"""From a request's body and how often the same question was asked before, to what is sent back."""


def verdict_of(body: Mapping[str, Any], scale: int = 2) -> int:
    """The verdict that this server always gives to a question: any, but the same."""
    return int(hashlib.sha256(question_of(body).encode()).hexdigest(), 16) % scale


def question_of(body: Mapping[str, Any]) -> str:
    """What makes two requests the same question."""
    return json.dumps([body.get("messages", body.get("input")), body.get("seed")])


def reply(text: str | None, finish: str = "stop", **message: Any) -> Handled:
    """A well-formed completion."""
    content = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "invented-2026",
        "system_fingerprint": "fp_1",
        "choices": [
            {"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": text, **message}}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    return 200, json.dumps(content).encode(), {}


def judged(body: Mapping[str, Any], scale: int = 2) -> Handled:
    """The verdict in words."""
    return reply(f"They compare.\nVERDICT: {verdict_of(body, scale)}")


def refused(status: int, headers: Mapping[str, str] | None = None, **error: Any) -> Handled:
    """An error as the API words it."""
    return status, json.dumps({"error": {"message": "invented", "type": "invented", **error}}).encode(), headers or {}


CLOSE: Handled = (0, b"", {})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


class ChatServer:
    """Serves while it is entered; remembers every request and every question it answered with a completion."""

    def __init__(self, rule: Rule = lambda body, _: judged(body), port: int = 0) -> None:
        self.rule = rule
        self.requests: list[dict[str, Any]] = []
        self.answered: Counter = Counter()
        """Question -> replies of a model written to the socket: what would have to be paid for."""
        self.asked: Counter = Counter()
        """Question -> requests received."""
        self.keys: list[str] = []
        self.paths: list[str] = []
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), self._handler())

    @property
    def port(self) -> int:
        """Where it listens; given again, another server has the address of this one."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """For OPENAI_BASE_URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(server) -> type:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                question = question_of(body)
                with server._lock:
                    before = server.asked[question]
                    server.asked[question] += 1
                    server.requests.append(body)
                    server.paths.append(self.path)
                    server.keys.append(self.headers.get("Authorization", ""))
                status, content, headers = server.rule(body, before)
                if status == 0:
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in {
                    "Content-Type": "application/json",
                    "Content-Length": str(len(content)),
                    **headers,
                }.items():
                    self.send_header(name, value)
                self.end_headers()
                try:
                    self.wfile.write(content)
                    self.wfile.flush()
                except OSError:  # the judge was killed meanwhile
                    return
                if status == 200 and b'"usage"' in content:
                    with server._lock:
                        server.answered[question] += 1

            def log_message(self, *_: Any) -> None:
                return

        return Handler
