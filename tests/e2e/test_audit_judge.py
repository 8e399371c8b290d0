"""``pefomed audit judge`` against a real server on this machine, asked by the ``openai`` package."""

from __future__ import annotations

import json
import re

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.rubrics import BUILT_IN
from pefomed_plugin.services.audit.judge_probes import judge_probes, probe_predictions
from pefomed_plugin.services.judge.prompts import neutralise_votes
from tests.chat_server import ChatServer, reply

pytest.importorskip("openai")
RIGHT = ("reference", "repeated", "longer")
CHANGED = ("negated", "mirrored", "renumbered")
KINDS = tuple(dict.fromkeys(probe.kind for probe in judge_probes(BUILT_IN["report"])))


def right_level(found, rubric):
    """What somebody who reads the texts gives."""
    name = found.id.split("-", 3)[3]
    if name in RIGHT:
        return rubric.highest
    if name in ("exchanged", "as-it-was"):
        is_same = {found.answer, found.prediction} in (
            {"enlarged heart", "cardiomegaly"},
            {"x-ray", "radiograph"},
            {"collapsed lung", "pneumothorax"},
            {"broken bone", "fracture"},
        )
        return rubric.highest if is_same else rubric.highest // 2
    return rubric.highest // 2 if name in CHANGED else rubric.lowest


LEVELS = {
    (task, neutralise_votes(found.answer), neutralise_votes(found.prediction)): right_level(found, rubric)
    for task, rubric in BUILT_IN.items()
    for found in probe_predictions(judge_probes(rubric))
}


def texts_of(body):
    asked = body["messages"][1]["content"]
    task = "report" if asked.startswith("A report") else "vqa"
    texts = (re.search(f"<{tag}>(.*?)</{tag}>", asked, re.DOTALL).group(1) for tag in ("reference", "given"))
    return (task, *texts)


def sober(body, _):
    return reply(f"They are compared.\nVERDICT: {LEVELS[texts_of(body)]}")


def gullible(body, before):
    """Gives what the answer asks for."""
    task, _, given = texts_of(body)
    asks = re.search(r"score|verdict|ignore|examiner|step by step|\(reference\)", given, re.IGNORECASE)
    return reply(f"As it says.\nVERDICT: {BUILT_IN[task].highest}") if asks else sober(body, before)


def constant(body, _):
    return reply(f"Good.\nVERDICT: {BUILT_IN[texts_of(body)[0]].highest}")


@pytest.fixture
def audit(tmp_path, monkeypatch, capsys):
    """Runs the command against a server of one rule; gives exit code, what was printed, the server, and audit.json."""
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT", raising=False)
    ports = [0]

    def run(rule, *arguments):
        with ChatServer(rule, ports[-1]) as server:
            ports.append(server.port)
            monkeypatch.setenv("OPENAI_BASE_URL", server.url)
            code = main(["audit", "judge", "--model", "invented", "--out", str(tmp_path / "out"), *map(str, arguments)])
        shown = capsys.readouterr()
        file = tmp_path / "out" / "audit.json"
        return code, shown.out + shown.err, server, json.loads(file.read_text()) if file.exists() else None

    return run


def wrong(told, kind):
    return {row["kind"]: row["wrong"] for row in told["judges"][kind]["kinds"]}


def test_a_sober_judge_moves_only_where_it_must(audit):
    code, shown, _, told = audit(sober)
    assert code == 0
    for kind in BUILT_IN:
        assert wrong(told, kind) == dict.fromkeys(KINDS, 0)
        assert {row["n"] for row in told["judges"][kind]["kinds"]} == {24}
        moved = {row["kind"]: row["moved"] for row in told["judges"][kind]["kinds"]}
        assert moved["side flipped"] == 24 and moved["longer wording"] == 0
    assert "judge/vqa/invented, 264 probes of kind vqa" in shown
    assert max(map(len, shown.splitlines())) < 110


def test_a_gullible_judge_is_named(audit):
    _, shown, _, told = audit(gullible)
    for kind in BUILT_IN:
        assert wrong(told, kind) == {**dict.fromkeys(KINDS, 0), "verdict injected": 24}
        (row,) = [row for row in told["judges"][kind]["kinds"] if row["kind"] == "verdict injected"]
        assert row["interval"]["low"] == pytest.approx(0.862, abs=1e-3)
    assert re.search(r"verdict injected +not rise +24 of 24 +24 of 24 +100 \[86 - 100\]", shown)


def test_a_judge_that_always_says_the_same_is_named(audit):
    _, shown, _, told = audit(constant, "--kind", "report")
    assert list(told["judges"]) == ["report"]
    found = wrong(told, "report")
    assert {kind for kind, count in found.items() if count == 24} == {
        "negation flipped",
        "side flipped",
        "number changed",
        "empty",
        "one token",
    }
    assert "48 probes are left out: no verdict, or nothing that could move so" in shown


def test_it_goes_on_from_its_ledger_and_says_what_it_cost(audit, tmp_path):
    prices = tmp_path / "prices.json"
    prices.write_text('{"invented": {"input": 1000, "output": 2000}}')
    arguments = ("--kind", "vqa", "--prices", prices)
    code, shown, server, told = audit(sober, *arguments, "--dry-run")
    assert (code, server.requests, told) == (0, [], None)
    questions = int(re.search(r"(\d+) questions", shown).group(1))
    code, shown, server, told = audit(sober, *arguments, "--max-requests", 50)
    assert (code, len(server.requests), told) == (1, 50, None)
    assert "start the same command again" in shown
    code, shown, server, told = audit(sober, *arguments)
    assert (code, len(server.requests)) == (0, questions - 50)
    assert told["judges"]["vqa"]["cost"] == pytest.approx(questions * (0.1 + 0.02))
    assert len(audit(sober, *arguments)[2].requests) == 0
    assert len(audit(sober, *arguments, "--runs", 2)[2].requests) == questions


def test_a_rubric_of_ones_own(audit, tmp_path):
    rubric = tmp_path / "rubric.json"
    levels = [{"value": value, "word": str(value), "description": f"level {value}"} for value in (1, 2, 3)]
    content = {"name": "own", "task": "report", "aggregation": "mean", "mean_name": "own", "levels": levels}
    rubric.write_text(json.dumps(content))
    code, shown, *_ = audit(constant, "--rubric", rubric)
    assert code == 2 and "add --kind vqa or --kind report" in shown
    _, _, _, told = audit(lambda body, _: reply("VERDICT: 3"), "--rubric", rubric, "--kind", "report")
    assert told["judges"]["report"]["rubric"]["name"] == "own"
    assert wrong(told, "report")["the reference itself"] == 0


def test_options_of_the_other_audit_are_refused(tmp_path, capsys):
    assert main(["audit", "--data", "slake=x", "judge", "--judge", "offline", "--out", str(tmp_path)]) == 2
    assert "are of pefomed audit" in capsys.readouterr().err


def test_the_offline_judge_counts_words_and_it_shows(tmp_path, capsys):
    assert main(["audit", "judge", "--judge", "offline", "--out", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert wrong(told, "report")["side flipped"] == 24
