"""How the process that listens is told to end."""

from __future__ import annotations

import asyncio
import math
import signal
from types import SimpleNamespace

import pytest

from pefomed_plugin.services.serving import server as serving


@pytest.fixture
def listening(monkeypatch):
    service = SimpleNamespace(
        is_stopping=False,
        in_flight=1,
        engine=SimpleNamespace(fault="", close=lambda: None),
        settings=SimpleNamespace(most_requests=4),
    )
    monkeypatch.setattr(serving, "make_app", lambda _: None)
    return serving.Server(service, math.inf, lambda: None)


def is_over(server):
    """Whether it ends at the next look."""
    server.should_exit = False
    asyncio.run(server.on_tick(1))
    return server.should_exit


def test_what_tells_twice_at_once_tells_once(listening, capsys):
    listening.handle_exit(signal.SIGTERM, None)  # timeout tells a process,
    listening.handle_exit(signal.SIGTERM, None)  # and then its group
    assert not is_over(listening)
    assert "once more ends it now" in capsys.readouterr().out
    listening.handle_exit(signal.SIGTERM, None)
    assert is_over(listening)


def test_a_closed_terminal_lets_what_was_taken_be_answered(listening, monkeypatch):
    def run(sockets):
        signal.raise_signal(signal.SIGHUP)
        assert listening._service.is_stopping and not is_over(listening)

    listening._service.engine.close = lambda: None
    monkeypatch.setattr(listening, "run", run)
    assert listening.serve_on(None) == 0
