"""Judging by batches: the same ledger and figures, found again after a kill at any point."""

from __future__ import annotations

import json

import pytest

from pefomed_plugin.errors import ConfigError
from pefomed_plugin.services.judge import batches
from pefomed_plugin.services.judge.batches import ask_batches
from pefomed_plugin.services.judge.judging import collect_scores, judge_questions, usable_verdict
from pefomed_plugin.services.judge.ledger import Ledger
from pefomed_plugin.services.judge.openai_chat import OpenAIChat
from pefomed_plugin.services.judge.prices import Price
from pefomed_plugin.services.judge.settling import Limits
from tests.batch_server import BatchServer
from tests.chat_server import judged, refused, reply, verdict_of

from ..judged import answers, plan

pytest.importorskip("openai")
PLAN = plan(runs=2)


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """Asks four predictions twice through a server; gives how far it went and the values of both runs."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-invented")
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)

    def run(server, **limits):
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        predictions, chosen = answers(4), Limits(**limits)
        with Ledger(tmp_path / "ledger.jsonl") as ledger:
            asked = ask_batches(
                judge_questions(predictions, PLAN),
                OpenAIChat(max_tries=2, first_wait_s=0.01),
                ledger,
                usable_verdict(PLAN),
                chosen,
                poll_s=0.01,
            )
            values = (
                [[score.value for score in scores] for scores in collect_scores(predictions, PLAN, ledger, chosen)]
                if asked.is_complete
                else None
            )
        return asked, values

    return run


def expected():
    return [
        [
            float(verdict_of({"messages": judge_question.messages, "seed": judge_question.parameters["seed"]}))
            for judge_question in judge_questions(answers(4), PLAN)
            if judge_question.run == run
        ]
        for run in (0, 1)
    ]


def test_one_batch_answers_everything_and_the_next_call_asks_nothing(ask, tmp_path):
    with BatchServer(lambda body, _: judged(body), polls=3) as server:
        asked, values = ask(server)
        assert (asked.questions, asked.settled, asked.requests, values) == (8, 8, 8, expected())
        again, _ = ask(server)
    assert (again.requests, len(server.rounds)) == (0, 1)
    assert not (tmp_path / "ledger.batch.json").exists()
    assert {each["url"] for each in server.rounds[0]} == {"/v1/chat/completions"}


def test_what_cannot_be_read_goes_into_the_next_batch(ask):
    with BatchServer(lambda body, rounds: judged(body) if rounds or verdict_of(body) else reply("hm")) as server:
        asked, values = ask(server)
    unread = sum(value == 0.0 for run in expected() for value in run)
    assert [len(each) for each in server.rounds] == [8, unread]
    assert (asked.unusable, values) == (0, expected())


def test_a_refused_parameter_is_left_out_of_the_next_batch(ask):
    def rule(body, _):
        return refused(400, param="max_tokens") if "max_tokens" in body else judged(body)

    with BatchServer(rule) as server:
        asked, values = ask(server)
    assert [len(each) for each in server.rounds] == [8, 8]
    assert (asked.settled, values) == (8, expected())


def test_a_batch_that_only_fails_ends_it(ask):
    with BatchServer(lambda *_: refused(500)) as server:
        asked, values = ask(server)
    assert (asked.settled, values, len(server.rounds)) == (0, None, 1)
    assert "answered nothing" in asked.stopped


@pytest.mark.parametrize(
    "point", ["before upload", "before the id is noted", "before the replies are stored", "before the note is removed"]
)
def test_killed_anywhere_no_batch_is_paid_for_twice(ask, monkeypatch, tmp_path, point):
    class Killed(BaseException):
        """Nothing in the program catches this, as nothing catches a kill."""

    def kill(*_, **__):
        raise Killed

    note = tmp_path / "ledger.batch.json"
    with BatchServer(lambda body, _: judged(body)) as server:
        with monkeypatch.context() as patch:
            if point == "before upload":
                patch.setattr(OpenAIChat, "call", kill)
            elif point == "before the id is noted":
                write, count = batches.write_json, []
                patch.setattr(
                    batches, "write_json", lambda *a: count.append(1) or (write(*a) if len(count) == 1 else kill())
                )
            elif point == "before the replies are stored":
                patch.setattr(Ledger, "append", kill)
            else:
                patch.setattr(type(note), "unlink", kill)
            with pytest.raises(Killed):
                ask(server)
        assert note.exists()
        _, values = ask(server)
    assert values == expected()
    assert len(server.rounds) == 1
    lines = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert len(lines) == len({line["key"] for line in lines}) == 8
    assert not note.exists()


def test_limits_hold_for_batches(ask):
    with BatchServer(lambda body, _: judged(body)) as server:
        with pytest.raises(ConfigError, match="more than --max-cost"):
            ask(server, price=Price(1000, 1000), max_cost=0.1)
        assert server.rounds == []
        asked, _ = ask(server, max_requests=3)
        assert (asked.settled, asked.stopped) == (3, "--max-requests 3 reached")


def test_one_refused_text_is_unscored_and_the_others_are_judged(ask):
    def rule(body, _):
        refused_one = "finding 2 seen" in body["messages"][1]["content"]
        return refused(400, message="words that nobody has heard of") if refused_one else judged(body)

    with BatchServer(rule) as server:
        asked, values = ask(server)
    assert asked.is_complete and asked.unusable == 2
    assert [run[2] for run in values] == [None, None]
