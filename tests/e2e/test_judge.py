"""``pefomed judge`` as a user starts it, against a server that plays every fault; killed and started again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from pefomed_plugin.storage import write_records
from tests.chat_server import CLOSE, ChatServer, judged, question_of, refused, reply
from tests.unit.services.judged import answers, written_reports

pytest.importorskip("openai")
ROOT = Path(__file__).resolve().parents[2]
SECRET = "sk-invented-key-of-nobody"
FAULTS = (
    refused(429, {"Retry-After": "0.05"}),
    refused(500),
    refused(503),
    CLOSE,
    (200, b"<html>", {}),
    (200, b'{"choices": []}', {}),
    reply(None, refusal="no"),
    reply("VERDICT: 1", finish="length"),
    reply("I cannot say."),
    reply("VERDICT: 9"),
    reply(None, finish="content_filter"),
)


def faulty(share, seed=0):
    """A rule: this share of all answers is a fault, drawn at random; the third repeat of a question never is."""
    draw = random.Random(seed)

    def rule(body, before):
        if before < 2 and draw.random() < share:
            return draw.choice(FAULTS)
        return judged(body, scale=5 if "report" in body["messages"][1]["content"][:20] else 2)

    return rule


def start(server, arguments):
    environ = {
        **os.environ,
        "OPENAI_BASE_URL": server.url,
        "OPENAI_API_KEY": SECRET,
        "PYTHONPATH": str(ROOT),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "pefomed_plugin.cli", "judge", *map(str, arguments)],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def judge(server, arguments):
    """Exit code and everything that was printed."""
    process = start(server, arguments)
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


@pytest.fixture
def answered(tmp_path):
    def write(count, kind="vqa"):
        path = tmp_path / kind / "predictions.jsonl"
        write_records(path, answers(count) if kind == "vqa" else written_reports(count))
        return path

    return write


def figures(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    [(name, found)] = metrics["scores"].items()
    return name, found, metrics["judges"][name]


def entries(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("kind", ["vqa", "report"])
def test_judging_through_faults_gives_the_figures_of_a_quiet_run(kind, answered, tmp_path):
    path = answered(12, kind)
    common = [kind, path, "--model", "invented-judge", "--runs", 3, "--reasks", 3]
    with ChatServer(faulty(0)) as quiet:
        assert judge(quiet, [*common, "--out", tmp_path / "quiet"])[0] == 0
    with ChatServer(faulty(0.3)) as server:
        code, shown = judge(server, [*common, "--out", tmp_path / "faulty"])
    assert code == 0
    assert figures(tmp_path / "faulty")[:2] == figures(tmp_path / "quiet")[:2]
    name, found, facts = figures(tmp_path / "faulty")
    assert name == f"judge/{kind}/invented-judge"
    assert found["overall"]["unscored"] == 0 and found["overall"]["runs"] == 3
    assert facts["returned_models"].keys() == {"invented-2026"} and facts["judgements"] == 36
    for text in (
        shown,
        (tmp_path / "faulty" / "metrics.json").read_text(),
        (tmp_path / "faulty" / "judge.ledger.jsonl").read_text(),
    ):
        assert SECRET not in text
    assert "invented lungs" not in shown


def run_with_kills(server, arguments, kills, total, draw):
    """Start the judge, kill it again and again, and let the last one finish; its exit code."""
    for number in range(1, kills + 1):
        process = start(server, arguments)
        until = total * number / (kills + 1) * draw.uniform(0.8, 1.0)
        while process.poll() is None and sum(server.answered.values()) < until:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    return judge(server, arguments)


def check_kills(answered, tmp_path, count, runs, kills):
    concurrency, path, draw = 8, answered(count), random.Random(1)
    common = ["vqa", path, "--model", "invented-judge", "--runs", runs, "--concurrency", concurrency, "--reasks", 3]
    with ChatServer(faulty(0)) as quiet:
        assert judge(quiet, [*common, "--out", tmp_path / "quiet"])[0] == 0
    with ChatServer(faulty(0.3)) as server:
        code, _ = run_with_kills(server, [*common, "--out", tmp_path / "killed"], kills, count * runs, draw)
        paid = Counter(server.answered)
        asked = {question_of(body) for body in server.requests}
    assert code == 0
    assert figures(tmp_path / "killed")[:2] == figures(tmp_path / "quiet")[:2]
    held = entries(tmp_path / "killed" / "judge.ledger.jsonl")
    settled = Counter(
        (each["sample_id"], each["run"]) for each in held if each["text"] and each["text"].startswith("They compare.")
    )
    assert settled == Counter({(f"invented-{number}", run): 1 for number in range(count) for run in range(runs)})
    assert len(asked) == count * runs
    # Paid for and not in the ledger is only what was on its way when the judge was killed.
    assert len(held) <= sum(paid.values()) <= len(held) + 2 * concurrency * kills


def test_killed_and_started_again_it_loses_nothing(answered, tmp_path):
    check_kills(answered, tmp_path, count=40, runs=4, kills=3)


@pytest.mark.slow
def test_killed_ten_times_during_two_thousand_requests(answered, tmp_path):
    check_kills(answered, tmp_path, count=200, runs=10, kills=10)


def test_an_interrupt_finishes_what_is_in_flight_and_says_how_to_go_on(answered, tmp_path):
    path = answered(30)
    common = ["vqa", path, "--model", "invented-judge", "--runs", 4, "--concurrency", 4, "--out", tmp_path / "out"]

    def slowly(body, _):
        time.sleep(0.05)
        return judged(body)

    with ChatServer(slowly) as server:
        process = start(server, common)
        while process.poll() is None and sum(server.answered.values()) < 10:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        shown, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "start the same command again" in shown
        assert f"next: pefomed judge {' '.join(map(str, common))}" in said
        assert not (tmp_path / "out" / "metrics.json").exists()
        paid = sum(server.answered.values())
        assert len(entries(tmp_path / "out" / "judge.ledger.jsonl")) == paid < 120
        assert judge(server, common)[0] == 0
        assert set(server.answered.values()) == {1}
        assert sum(server.answered.values()) == 120


def test_two_judges_on_one_ledger_are_refused(answered, tmp_path):
    path, served = answered(4), threading.Event()
    common = ["vqa", path, "--model", "invented-judge", "--runs", 1, "--out", tmp_path / "out"]

    def waiting(body, _):
        served.wait(30)
        return judged(body)

    with ChatServer(waiting) as server:
        first = start(server, common)
        while first.poll() is None and len(server.requests) < 4:
            time.sleep(0.005)
        code, shown = judge(server, common)
        served.set()
        first.communicate(timeout=60)
    assert (code, first.returncode) == (2, 0)
    assert "is in use by another process" in shown


def test_a_second_interrupt_ends_at_once_and_says_what_was_in_flight(answered, tmp_path):
    path, served = answered(30), threading.Event()
    common = ["vqa", path, "--model", "invented-judge", "--runs", 4, "--concurrency", 4, "--out", tmp_path / "out"]

    def stuck(body, _):
        if len(server.requests) > 12:
            served.wait(120)
        return judged(body)

    with ChatServer(stuck) as server:
        process = start(server, common)
        while process.poll() is None and len(server.requests) < 13:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline().startswith("finishing what is in flight")
        process.send_signal(signal.SIGINT)
        shown = process.communicate(timeout=60)[0]  # --timeout is 120
        served.set()
        stored = len(entries(tmp_path / "out" / "judge.ledger.jsonl"))
        assert process.returncode == 130
        assert f"{len(server.requests) - stored} requests were in flight" in shown
        assert judge(server, common)[0] == 0
    assert len(entries(tmp_path / "out" / "judge.ledger.jsonl")) == 120


def test_texts_and_key_stay_on_this_machine_whatever_the_proxy_says(answered, tmp_path, monkeypatch):
    path = answered(4)
    with ChatServer() as server, ChatServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert judge(server, ["vqa", path, "--model", "invented-judge", "--runs", 2])[0] == 0
    assert (len(server.requests), proxy.requests, proxy.keys) == (8, [], [])
