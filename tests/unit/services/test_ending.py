"""SIGTERM and a closed terminal unwind like Ctrl-C; what is ignored stays so."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from pefomed_plugin.services.ending import Ended, answering, exit_code_of, lent, unwinding
from tests.killing import forks

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])


@pytest.fixture(autouse=True)
def _signals_as_the_system_has_them():
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def clock(monkeypatch):
    """Stands still, but for what is added."""
    now = SimpleNamespace(now=0.0)
    monkeypatch.setattr("pefomed_plugin.services.ending.time", SimpleNamespace(monotonic=lambda: now.now))
    return now


@BOTH
def test_what_is_for_the_time_being_is_removed(number):
    with pytest.raises(KeyboardInterrupt) as caught, unwinding():
        with tempfile.TemporaryDirectory() as folder:
            os.kill(os.getpid(), number)
    assert exit_code_of(caught.value) == 128 + number
    assert str(caught.value) == f"ended by {number.name}"
    assert not Path(folder).exists()
    assert signal.getsignal(number) == signal.SIG_DFL


def test_ctrl_c_is_what_it_was():
    before = signal.getsignal(signal.SIGINT)
    with unwinding():
        assert signal.getsignal(signal.SIGINT) is before
    assert exit_code_of(KeyboardInterrupt()) == 130


@pytest.mark.parametrize("ways", [unwinding, lambda: answering(pytest.fail)])
def test_what_is_ignored_stays_so(ways):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with ways():
        os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_whoever_answers_is_called_and_the_one_before_comes_back(clock):
    heard = []
    with unwinding():
        with answering(lambda number, _: heard.append(number)):
            os.kill(os.getpid(), signal.SIGTERM)
            clock.now += 1
            os.kill(os.getpid(), signal.SIGHUP)
        clock.now += 1
        with pytest.raises(Ended):
            os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP])
@BOTH
def test_an_ending_that_is_told_twice_is_one(number, second, clock):
    """As by ``timeout`` (the process, then its group) and by a closed terminal (the shell, then the system)."""
    cleaned = []

    def work(later):
        try:
            os.kill(os.getpid(), number)
        finally:
            clock.now += later
            os.kill(os.getpid(), second)
            cleaned.append(later)

    for later, counts in ((0, number), (1, second)):  # the other one is by somebody who waits
        with pytest.raises(Ended) as caught, unwinding():
            work(later)
        assert caught.value.number == counts
    assert cleaned == [0]


def test_each_ctrl_c_counts(clock):
    heard = []
    with answering(lambda number, _: heard.append(number)):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
            os.kill(os.getpid(), number)
    assert heard == [signal.SIGTERM, signal.SIGINT, signal.SIGINT]


@forks
@pytest.mark.parametrize("ways", [unwinding, lambda: answering(pytest.fail)])
def test_a_process_that_was_forked_ends_at_once(ways):
    with ways():
        child = os.fork()
        if not child:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                os._exit(3)  # it was raised
        _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGTERM


def test_another_thread_leaves_all_as_it_is():
    seen = []

    def look():
        with unwinding(), answering(pytest.fail):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.SIG_DFL]


def test_a_handler_that_is_not_pythons_is_no_failure_at_the_end(monkeypatch):
    """Of a program that has Python within it ``signal.getsignal`` knows nothing."""
    heard = []
    with monkeypatch.context() as change:
        change.setattr(signal, "getsignal", lambda _: None)
        with answering(lambda number, _: heard.append(number)):
            os.kill(os.getpid(), signal.SIGTERM)
        with lent():
            pass
    assert heard == [signal.SIGTERM] and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
