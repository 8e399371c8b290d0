"""The process that listens (uvicorn): its socket, and an end in order. What is answered is ``app``'s.

The first SIGTERM, SIGHUP or Ctrl-C lets what was taken be answered and refuses what is new with 503; another one, once
that is said, ends it now.
"""

from __future__ import annotations

import signal
import socket
import time
from types import FrameType
from typing import Callable

import uvicorn

from ...errors import ConfigError
from ..console import say
from ..ending import answering
from ..local_names import is_this_machine
from ..web_guard import impatient
from .app import make_app
from .service import Service

_IDLE_S = 60
_CONNECTIONS = 1024
"""Beyond the requests that may be there."""
_ENDING_S = 5


def check_key(key: str | None, host: str, variable: str) -> str:
    """The key that clients must send; empty where none is needed.

    Raises:
        ConfigError: none, and the address can be reached from elsewhere; or one that no client can send.
    """
    if key is None:
        if not is_this_machine(host):
            raise ConfigError(
                f"--host {host} can be reached from elsewhere, so clients need a key: set {variable}, or listen on "
                "127.0.0.1"
            )
        return ""
    if len(key) < 8 or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"{variable}: a key has 8 or more printable ASCII characters without blanks; make one with "
            "openssl rand -hex 24, or unset it"
        )
    return key


class Server(uvicorn.Server):
    """Serves until it is told to end, or until the engine fails."""

    def __init__(
        self, service: Service, patience_s: float, on_ready: Callable[[], None], ignores_interrupts: bool = False
    ) -> None:
        """Prepare.

        Args:
            patience_s: how long what was taken may still be answered.
            on_ready: called when requests are taken.
            ignores_interrupts: whether Ctrl-C is somebody else's to pass on.
        """
        self._service, self._patience_s, self._on_ready = service, patience_s, on_ready
        self._ignores_interrupts = ignores_interrupts
        self._deadline = 0.0
        self._has_said = False
        super().__init__(
            uvicorn.Config(
                make_app(service),
                http=impatient(_IDLE_S, answers_slowly=True),
                ws="none",
                lifespan="off",
                log_config=None,  # no addresses of requests in logs
                log_level="critical",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=2048,
                limit_concurrency=_CONNECTIONS + service.settings.most_requests,
                timeout_keep_alive=_IDLE_S,
                timeout_graceful_shutdown=_ENDING_S,
            )
        )

    def serve_on(self, listening: socket.socket) -> int:
        """Serve; the exit code."""
        with answering(lambda *_: self.stop()):  # uvicorn takes Ctrl-C and SIGTERM, this SIGHUP
            self.run(sockets=[listening])
        self._service.engine.close()
        return 1 if self._service.engine.fault else 0

    def stop(self) -> None:
        """Take no more, and end when what was taken is answered; again, once that is said: now. From any thread."""
        if self._service.is_stopping:
            if self._has_said:  # else it is the same ending, told twice: by ``timeout``, or by shell and system
                self._deadline = 0.0
            return
        self._deadline = time.monotonic() + self._patience_s
        self._service.is_stopping = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal."""
        if sig == signal.SIGINT and self._ignores_interrupts:
            return
        self.stop()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether it is over."""
        if counter == 0:
            self._on_ready()
        service = self._service
        if service.engine.fault:
            self.should_exit = True
        if service.is_stopping and not self._has_said:  # not in the signal's handler, which may not print
            self._has_said = True
            say(f"stopping: {service.in_flight} requests are still answered; once more ends it now")
        if service.is_stopping and not self.should_exit:
            late = time.monotonic() > self._deadline
            if late and service.in_flight:
                say(f"{service.in_flight} requests were not answered in time, and are ended")
            self.should_exit = late or service.in_flight == 0
        if self.should_exit:
            service.engine.close()  # whoever still waits hears of it
        return await super().on_tick(counter)
