"""Other projects' scoring in a process of its own: what it is kept from, and what is said where it does not work.

The projects here are invented; ``tests/real_data`` has none of the real ones, which nobody downloads for a test
(docs/audits.md says how they were tried).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import venv

import pytest

from pefomed_plugin.cli import main
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.records import CLOSED, OPEN
from pefomed_plugin.services.audit.harness_calls import ONLY_YES_NO, AuditedSet, call_harness, call_on, sets_of
from pefomed_plugin.services.audit.harness_process import Limits
from pefomed_plugin.services.audit.harnesses import HARNESSES, find_harness
from tests.unit.scoring.rows import predicted
from tests.unit.services.small import LEAKY, write_rad

LMMS = """
import json, os, socket
{imports}
SEEN = dict(os.environ)

class Log:
    def info(self, text): print(text)
    def remove(self): pass
eval_logger = Log()

def slake_process_results(doc, results):
    {look}
    found = [doc["answer_type"], {hit}]
    return dict.fromkeys(("slake_accuracy", "slake_open_accuracy", "slake_closed_accuracy"), found)

def of(kind, found):
    hits = [hit for own, hit in found if kind in (None, own)]
    return sum(hits) / len(hits)

def slake_aggregate_accuracy(found): return {times} * of(None, found)
def slake_aggregate_open_accuracy(found): return of("OPEN", found)
def slake_aggregate_closed_accuracy(found): return of("CLOSED", found)
"""
ANSWERS = (("Yes", CLOSED), ("no", CLOSED), ("left lung", OPEN), ("x-ray", OPEN), ("Left", CLOSED))
SAMPLES = [
    predicted(answer, None, n, answer_type=kind, dataset="slake").sample for n, (answer, kind) in enumerate(ANSWERS)
]


@pytest.fixture
def counted(tmp_path):
    """Lets an invented lmms-eval count five questions."""

    def call(hit="results[0].lower() == doc['answer'].lower()", times="1", look="pass", imports="", seconds=60.0):
        file = tmp_path / "lmms_eval/tasks/slake/utils.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(LMMS.format(hit=hit, times=times, look=look, imports=imports))
        harness = find_harness("lmms-eval", tmp_path)
        return call_harness(harness, tmp_path, SAMPLES, Limits(sys.executable, seconds))

    return call


def came(called):
    return {(each.answers, each.figure): each.value for each in called.figures}


def test_a_right_count_is_right(counted):
    called = counted()
    assert (called.error, called.version, called.questions) == ("", "no git: unknown commit", 5)
    assert {each.is_right for each in called.figures} == {True}
    assert {each.figure for each in called.figures} == {"overall", "open", "closed"}
    assert "no network" in called.network


def test_a_wrong_count_is_shown_beside_the_right_one(counted):
    called = counted(hit="doc['answer'].lower() in results[0].lower()", times="1.4")
    found = came(called)
    assert found["perfect", "overall"] == pytest.approx(140)
    assert found['"yes or no"', "closed"] == pytest.approx(200 / 3)
    assert found[ONLY_YES_NO, "closed"] == 100
    wrong = {(each.answers, each.figure): (each.low, each.high) for each in called.figures if not each.is_right}
    assert wrong["perfect", "overall"] == (100, 100)
    assert wrong[ONLY_YES_NO, "closed"] == (0, 0)
    assert ("perfect", "closed") not in wrong


def test_their_code_has_no_network_no_keys_and_a_folder_of_its_own(counted, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    look = "raise ValueError(sorted(SEEN) + [os.path.basename(os.getcwd())[:13], str('secret-key' in SEEN.values())])"
    (first, *_) = counted(look=look).figures
    assert "OPENAI_API_KEY" not in first.reason
    assert "'pefomed-audit', 'False'" in first.reason
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        (first, *_) = counted(look=f"socket.create_connection(('127.0.0.1', {port}), 5)").figures
    assert first.value is None and "Error" in first.reason


def test_what_fails_or_hangs_is_said(counted):
    assert counted(look="1 / 0").figures[0].reason.startswith("ZeroDivisionError: division by zero (utils.py, line ")
    assert "SyntaxError" in counted(imports="def broken(").error
    hanging = counted(imports="import time; time.sleep(600)", seconds=0.5)
    assert hanging.error == "not done after 0.5 s, and ended (--harness-timeout)" and not hanging.figures
    assert counted(imports="os._exit(3)").error == "its process ended with code 3 and said nothing"
    other = counted(imports="import atexit; atexit.register(lambda: open('result.json', 'w').write('[]'))")
    assert other.error == "its result is of another form"


def test_packages_that_are_not_installed_are_stood_in_for_and_never_called(counted):
    called = counted(
        imports="import invented_xyz.part as part\nfrom invented_xyz import thing\nclass Own(thing.Base): pass"
    )
    assert (called.error, called.stood_in) == ("", ("invented_xyz",))
    assert {each.is_right for each in called.figures} == {True}
    called = counted(imports="import invented_xyz", look="invented_xyz.count(doc)")
    assert called.error == "needs the package invented_xyz (invented_xyz.count)"


def test_the_commit_and_whether_the_scoring_was_changed(counted, tmp_path):
    counted()
    for arguments in (
        ("init", "-q"),
        ("add", "."),
        ("-c", "user.name=a", "-c", "user.email=a@invented.org", "commit", "-qm", "first"),
    ):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    commit = subprocess.run(
        ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    ).stdout[:7]
    assert counted().version == commit
    assert counted(times="2").version == f"{commit}, changed: lmms_eval/tasks/slake/utils.py"


def test_what_cannot_be_called(tmp_path):
    with pytest.raises(ConfigError, match="no harness 'medeval'; known: medevalkit, "):
        find_harness("medeval", None)
    with pytest.raises(ConfigError, match="llava-med is no package: give its checkout"):
        find_harness("llava-med", None)
    with pytest.raises(ConfigError, match="does not hold the scoring of llava-med") as caught:
        find_harness("llava-med", tmp_path)
    assert caught.value.problems[0] == "llava/eval/run_eval.py"
    sets = [AuditedSet("vqa_rad", tmp_path, "vqa_rad-test", SAMPLES)]
    with pytest.raises(ConfigError, match="lmms-eval scores slake; none of them is among vqa_rad"):
        sets_of(HARNESSES["lmms-eval"], sets)
    with pytest.raises(ConfigError, match="no program that can be run"):
        Limits(str(tmp_path / "python"))
    with pytest.raises(ConfigError, match="must be more than 0"):
        Limits(seconds=0)


def test_one_that_is_not_installed_is_said_to_be_not(tmp_path):
    (called,) = call_on(HARNESSES["lmms-eval"], None, [AuditedSet("slake", tmp_path, "", SAMPLES)], Limits())
    assert "lmms_eval is not installed" in called.error and not called.figures


def test_one_that_is_installed_needs_no_checkout(tmp_path, monkeypatch):
    venv.EnvBuilder(symlinks=True, with_pip=False).create(tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    file = site / "lmms_eval/tasks/slake/utils.py"
    file.parent.mkdir(parents=True)
    for folder in (site / "lmms_eval", site / "lmms_eval/tasks", site / "lmms_eval/tasks/slake"):
        (folder / "__init__.py").touch()
    right = "results[0].lower() == doc['answer'].lower()"
    file.write_text(LMMS.format(hit=right, times="1", look="pass", imports="import invented_xyz"))
    (site / "lmms_eval-0.0.7.dist-info").mkdir()
    (site / "lmms_eval-0.0.7.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: lmms_eval\nVersion: 0.0.7\n")
    monkeypatch.chdir(tmp_path)
    limits = Limits("env/bin/python")
    (called,) = call_on(HARNESSES["lmms-eval"], None, [AuditedSet("slake", tmp_path, "", SAMPLES)], limits)
    assert (called.error, called.version, called.stood_in) == ("", "0.0.7", ("invented_xyz",))
    assert {each.is_right for each in called.figures} == {True}


def test_the_command_shows_what_differs_and_exits_as_ours_are(tmp_path, capsys):
    (tmp_path / "llava/eval/eval_metrics").mkdir(parents=True)
    (tmp_path / "llava/eval/eval_metrics/evaluate_metrics.py").write_text("")
    (tmp_path / "llava/eval/run_eval.py").write_text(
        "def evaluate(truths, said, candidates):\n"
        "    return tabulate([['yes/no accuracy', 100.0], ['recall', 0.0]], headers=[])\n"
    )
    write_rad(tmp_path / "vqa_rad", LEAKY)
    arguments = ["audit", "--data", f"vqa_rad={tmp_path / 'vqa_rad'}", "--harness", f"llava-med={tmp_path}"]
    assert main(arguments) == 0
    shown = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "llava-med (no git: unknown commit): vqa_rad-test, 3 questions" in shown
    assert '"yes or no" closed 0.0 % 100.0 % differs' in shown
    assert "perfect open 100.0 % 0.0 % differs" in shown
    assert main([*arguments, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["harnesses"]
    assert {each["right"] for each in told["figures"]} == {True, False}
