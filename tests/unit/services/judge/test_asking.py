"""The loop around the ledger, with askers of our own instead of a server."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from collections import Counter
from concurrent.futures import Future

import pytest

from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services.ending import words_of
from pefomed_plugin.services.judge.asking import FEW, HOPELESS_AFTER, _Asking, ask_all
from pefomed_plugin.services.judge.chat import ChatRequest, NoReply, RefusedRequest, Reply
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.judge.prices import Price
from pefomed_plugin.services.judge.settling import Limits

USAGE = {"prompt_tokens": 10, "completion_tokens": 10}


def questions(count, run=0):
    return [
        ChatRequest(
            [{"role": "user", "content": f"invented question {number}"}],
            {"model": "invented-judge", "max_tokens": 10},
            run,
        )
        for number in range(count)
    ]


def good(question, gate):
    gate.enter()
    return Reply("yes", usage=USAGE)


def usable(entry):
    return entry["text"] == "yes"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ledger.jsonl"


def asked(path, ask, count=10, **limits):
    with Ledger(path) as ledger:
        return ask_all(questions(count), ask, ledger, usable, Limits(**{"concurrency": 4, **limits}))


def test_everything_is_asked_once_and_nothing_twice(path):
    first, again = asked(path, good), asked(path, good, count=12)
    assert (first.questions, first.settled, first.requests, first.is_complete) == (10, 10, 10, True)
    assert (again.questions, again.settled, again.requests) == (12, 12, 2)


def test_equal_questions_of_one_run_are_one(path):
    with Ledger(path) as ledger:
        done = ask_all([*questions(3), *questions(3), *questions(3, run=1)], good, ledger, usable, Limits())
    assert (done.questions, done.requests) == (6, 6)


def test_an_unusable_reply_is_asked_again_then_left_without_a_value(path):
    def ask(question, gate):
        gate.enter()
        return Reply("no" if "question 3" in question.messages[0]["content"] else "yes")

    done = asked(path, ask, reasks=2)
    assert (done.settled, done.unusable, done.requests, done.is_complete) == (10, 1, 12, True)
    again = asked(path, ask, reasks=2)
    assert (again.unusable, again.requests) == (1, 0)
    assert asked(path, ask, reasks=4).requests == 2


def test_a_final_fault_is_not_asked_again(path):
    def ask(question, gate):
        gate.enter()
        return Reply("yes") if "question 3" in question.messages[0]["content"] else Reply(None, "filtered", final=True)

    done = asked(path, ask, reasks=5)
    while not done.is_complete:  # five filtered ones may come first
        done = asked(path, ask, reasks=5)
    assert (done.unusable, dict(done.faults)) == (9, {"filtered": 9})
    assert asked(path, ask, reasks=5).requests == 0


def test_a_reply_is_in_the_ledger_before_the_next_one_is_counted(path):
    def ask(question, gate):
        gate.enter()
        if gate.passed == 6:
            raise DataError("invented failure")
        return Reply("yes")

    with pytest.raises(DataError, match="invented failure"):
        asked(path, ask, concurrency=1)
    with Ledger(path) as ledger:
        stored = sum(len(ledger.entries(question.key)) for question in questions(10))
    assert stored == 5


def test_no_reply_leaves_a_question_for_the_next_start(path):
    def ask(question, gate):
        gate.enter()
        if "question 1" in question.messages[0]["content"]:
            raise NoReply("time-out")
        return Reply("yes")

    done = asked(path, ask)
    assert (done.settled, done.is_complete, dict(done.without_reply)) == (9, False, {"time-out": 1})
    assert asked(path, good).requests == 1


def test_a_server_that_is_gone_is_not_asked_for_ever(path):
    def ask(question, gate):
        gate.enter()
        raise NoReply("no connection")

    done = asked(path, ask, count=500)
    assert FEW <= done.requests < 2 * FEW and "5 questions in a row (last: no connection)" in done.stopped
    assert asked(path, good, count=3).is_complete
    done = asked(path, ask, count=500)
    assert HOPELESS_AFTER <= done.requests < HOPELESS_AFTER + 20
    assert "20 questions in a row" in done.stopped


def test_what_is_refused_is_final_only_where_others_are_answered(path):
    def ask(question, gate):
        gate.enter()
        if "question 9" in question.messages[0]["content"] or answered == "none":
            raise RefusedRequest("refused (status 400)")
        return Reply("yes")

    answered = "none"
    done = asked(path, ask, count=4)
    assert (done.settled, dict(done.without_reply)) == (0, {"refused (status 400)": 4})
    answered = "all but one"
    done = asked(path, ask)
    assert (done.settled, dict(done.faults), done.is_complete) == (10, {"refused (status 400)": 1}, True)
    assert asked(path, ask).requests == 0


def test_max_requests_is_never_passed(path):
    done = asked(path, good, count=50, max_requests=7)
    assert (done.settled, done.requests, done.stopped) == (7, 7, "--max-requests 7 reached")
    assert asked(path, good, count=50).requests == 43


def test_max_cost_stops_before_the_limit_and_counts_earlier_starts(path):
    price = Price(input=1000.0, output=1000.0)  # 0.02 a reply
    done = asked(path, good, count=50, price=price, max_cost=0.5)
    assert done.stopped == "--max-cost 0.5 reached"
    assert 0.4 < done.cost <= 0.5
    again = asked(path, good, count=50, price=price, max_cost=0.5)
    assert again.cost <= 0.5
    whole = asked(path, good, count=50, price=price)
    assert whole.cost == pytest.approx(50 * 0.02)


def test_what_replies_turned_out_to_cost_counts_more_than_the_guess(path):
    price = Price(input=1000.0, output=1000.0)
    done = asked(
        path,
        lambda question, gate: gate.enter() or Reply("yes", usage={"prompt_tokens": 100}),
        count=50,
        price=price,
        max_cost=1.0,
        concurrency=1,
    )
    assert 0.7 < done.cost <= 1.0  # 0.1 a reply, 0.02 by their length


@pytest.mark.parametrize("limits", [{"concurrency": 0}, {"reasks": -1}, {"max_requests": 0}, {"max_cost": 1.0}])
def test_limits_that_cannot_be_used(limits):
    with pytest.raises(ConfigError):
        Limits(**limits)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_finishes_what_is_in_flight(path, number, capsys):
    def ask(question, gate):
        gate.enter()
        if gate.passed == 8:
            os.kill(os.getpid(), number)
        time.sleep(0.05)
        return Reply("yes")

    before = signal.getsignal(number)
    done = asked(path, ask, count=100)
    assert done.told == number and done.stopped == words_of(number)
    assert 8 <= done.requests < 20
    assert done.settled == done.requests
    assert signal.getsignal(number) is before
    assert "finishing what is in flight" in capsys.readouterr().out
    assert asked(path, good, count=100).requests == 100 - done.requests


def test_it_asks_as_many_at_a_time_as_allowed(path):
    lock, now, most = threading.Lock(), [0], [0]

    def ask(question, gate):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= 1
        return Reply("yes")

    asked(path, ask, count=40, concurrency=5)
    assert most[0] == 5


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGHUP, signal.SIGHUP)])
def test_an_ending_that_is_told_twice_drops_nothing_that_is_paid_for(path, numbers):
    """``timeout`` tells a process and its group; of a closed terminal shell and system both tell."""

    def ask(question, gate):
        gate.enter()
        if gate.passed == 8:
            os.kill(os.getpid(), numbers[0])
            gate._closing.result(10)
            os.kill(os.getpid(), numbers[1])
        time.sleep(0.05)
        gate.leave()
        return Reply("yes")

    done = asked(path, ask, count=100)
    assert done.told == numbers[0] and done.settled == done.requests >= 8 and not done.let_go


def test_a_second_interrupt_lets_go_of_what_is_in_flight_and_says_so(path):
    for_ever = threading.Event()

    def ask(question, gate):
        gate.enter()
        if gate.passed == 8:
            os.kill(os.getpid(), signal.SIGINT)
            gate._closing.result(10)  # two signals at once would be one
            os.kill(os.getpid(), signal.SIGINT)
        if gate.passed > 6:
            for_ever.wait(60)
        gate.leave()
        return Reply("yes")

    try:
        done = asked(path, ask, count=100)
    finally:
        for_ever.set()
    assert done.stopped == "interrupted"
    assert (done.settled, done.requests - done.let_go) == (6, 6) and 2 <= done.let_go <= 4
    with Ledger(path) as ledger:
        assert sum(len(ledger.entries(question.key)) for question in questions(100)) == 6


def test_replies_in_flight_when_the_disk_is_full_are_paid_for_once(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paid, write = Counter(), Ledger.append
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Full:
        def write(self, data):
            raise full

        def __getattr__(self, name):
            return getattr(self.file, name)

    def ask(question, gate):
        gate.enter()
        paid[question.messages[0]["content"]] += 1
        time.sleep(0.01)
        gate.leave()
        return Reply("yes")

    def append(ledger, entries):
        if len(paid) > 10 and entries and not isinstance(ledger._file, Full):
            disk = Full()
            disk.file, ledger._file = ledger._file, disk
        write(ledger, entries)

    monkeypatch.setattr(Ledger, "append", append)
    with pytest.raises(DataError, match="No space left"):
        asked(path, ask, count=40, concurrency=8)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert 10 < len(paid) < 40
    assert asked(path, ask, count=40).is_complete and set(paid.values()) == {1}


@pytest.mark.parametrize("number", [1, 9])
def test_a_mistake_of_the_program_keeps_what_was_paid_for(path, number):
    """In an asking thread: the one that erred has no reply, all the others are stored."""
    paid = []

    def ask(question, gate):
        gate.enter()
        paid.append(question.messages[0]["content"])
        time.sleep(0.01)
        if question.messages[0]["content"] == f"invented question {number}":
            raise RecursionError("invented")
        return Reply("yes")

    with pytest.raises(RecursionError):
        asked(path, ask, count=40, concurrency=8)
    paid.remove(f"invented question {number}")
    with Ledger(path) as ledger:
        stored = [each for each in questions(40) if ledger.entries(each.key)]
    assert sorted(paid) == sorted(each.messages[0]["content"] for each in stored)


def test_a_mistake_in_reading_replies_keeps_what_was_paid_for(path):
    """In the thread that writes: what was in flight is stored before the error is raised."""
    replied = []

    def ask(question, gate):
        gate.enter()
        time.sleep(0.01)
        replied.append(question.key)
        return Reply("yes" if len(replied) < 12 else "deep")

    def cannot_read(entry):
        if entry["text"] == "deep":
            raise RecursionError("invented")
        return True

    with pytest.raises(RecursionError), Ledger(path) as ledger:
        ask_all(questions(40), ask, ledger, cannot_read, Limits(concurrency=8))
    with Ledger(path) as ledger:
        assert all(len(ledger.entries(key)) == 1 for key in replied)
    assert len(replied) >= 12


def test_what_comes_while_everything_is_let_go_is_stored(tmp_path):
    questions = [ChatRequest([{"role": "user", "content": str(number)}], {"model": "m"}) for number in range(3)]
    futures = [Future() for _ in questions]
    left = iter(futures)
    with Ledger(tmp_path / "ledger.jsonl") as ledger:
        asking = _Asking(questions, lambda *_: next(left), ledger, lambda entry: True, Limits())
        asking._submit()
        threading.Timer(0.02, futures[1].set_result, [Reply("VERDICT: 1")]).start()  # between two looks
        asking._let_go()
        stored = [len(ledger.entries(question.key)) for question in questions]
    assert stored == [0, 1, 0] and asking.asked.settled == 1
    assert [future.cancelled() for future in futures] == [True, False, True]
