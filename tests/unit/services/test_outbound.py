"""The gate: what may leave, what is noted of it, and that every command and task comes by."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from pefomed_plugin import launch
from pefomed_plugin.adapters.training.tracking import tracker_passage, trackers_of
from pefomed_plugin.cli import main
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError, DataError
from pefomed_plugin.services import outbound
from pefomed_plugin.services.data.shard_transport import open_shard
from pefomed_plugin.services.judge.chat import ChatRequest, Gate, NoReply
from pefomed_plugin.services.judge.openai_chat import OpenAIChat
from pefomed_plugin.services.outbound import CHAT, SHARDS, open_passage
from pefomed_plugin.services.outbound_log import log_path, read_log
from pefomed_plugin.services.private_files import keep_private

ROOT = Path(__file__).resolve().parents[3]
TEXT = "invented text about nobody"
QUESTION = ChatRequest([{"role": "user", "content": TEXT}, {"role": "user", "content": "?"}], {"model": "invented"})


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("PEFOMED_OFFLINE", raising=False)


@pytest.mark.parametrize("dataset", ["mimic_cxr", "clef2022", "medical_custom", "of another package", "imported-set"])
def test_what_is_not_declared_public_stays_here_without_the_users_word(dataset):
    with pytest.raises(ConfigError, match=rf"{dataset}: not a public data set.* api\.example\.org.*--i-have-permis"):
        open_passage(CHAT, "api.example.org", ["vqa_rad", dataset], is_local=False)
    open_passage(CHAT, "127.0.0.1", [dataset], is_local=True)
    open_passage(CHAT, "api.example.org", [dataset], is_local=False, given=True)
    open_passage(CHAT, "api.example.org", ["vqa_rad"], is_local=False)
    open_passage(CHAT, "api.example.org", [dataset], is_local=False, origins={dataset: "generated"})


def test_what_a_process_has_read_counts_whoever_asks():
    keep_private(["mimic_cxr"])
    with pytest.raises(ConfigError, match="mimic_cxr"):
        open_passage(CHAT, "api.example.org", is_local=False)
    open_passage(SHARDS, "shards.example.org", is_local=False)  # nothing of the data goes there
    outbound.begin("judge", True)
    keep_private(["mimic_cxr"])
    assert open_passage(CHAT, "api.example.org", is_local=False)
    outbound.begin("judge", False)  # the word is given for one command
    with pytest.raises(ConfigError):
        open_passage(CHAT, "api.example.org", ["mimic_cxr"], is_local=False)


def test_offline_nothing_leaves_whatever_is_allowed(monkeypatch):
    monkeypatch.setenv("PEFOMED_OFFLINE", "1")
    with pytest.raises(ConfigError, match=r"PEFOMED_OFFLINE is set.*api\.example\.org"):
        open_passage(CHAT, "api.example.org", ["vqa_rad"], is_local=False, given=True)
    assert open_passage(CHAT, "127.0.0.1", ["mimic_cxr"], is_local=True).is_local


def test_a_line_for_everything_that_leaves_and_never_its_content():
    outbound.begin("judge", True)
    open_passage(CHAT, "127.0.0.1", ["mimic_cxr"], is_local=True).note(100, 3)
    assert not log_path().exists()
    open_passage(CHAT, "api.example.org", ["mimic_cxr"], is_local=False).note(321, 2)
    ((entry,), _) = read_log()
    assert {name: entry[name] for name in ("command", "way", "host", "bytes", "texts", "not_public")} == {
        "command": "judge",
        "way": "chat API",
        "host": "api.example.org",
        "bytes": 321,
        "texts": 2,
        "not_public": ["mimic_cxr"],
    }
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600


def test_what_cannot_be_noted_is_not_sent(tmp_path):
    (tmp_path / "state").write_text("a file where the folder belongs")
    with pytest.raises(DataError, match="nothing is sent that cannot be noted.*XDG_STATE_HOME"):
        open_passage(CHAT, "api.example.org", is_local=False)


def test_a_client_sends_nothing_before_the_gate_was_asked(monkeypatch):
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1:9/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-invented-key-of-nobody")
    chat = OpenAIChat(timeout_s=0.2, max_tries=1)
    with pytest.raises(ConfigError, match="before the gate was asked"):
        chat.ask(QUESTION, Gate())
    with pytest.raises(ConfigError, match="mimic_cxr"):
        chat.clear(["mimic_cxr"])
    chat.clear(["vqa_rad"])
    with pytest.raises(NoReply):
        chat.ask(QUESTION, Gate())
    ((entry,), _) = read_log()  # noted before it is sent, so that nothing that left can be missing
    assert (entry["host"], entry["texts"]) == ("192.0.2.1", 2) and entry["bytes"] > len(TEXT)
    assert TEXT not in log_path().read_text() and "sk-invented" not in log_path().read_text()


@pytest.mark.parametrize("section", [{"wandb_log": True}, {"wandb": {"project": "p"}}])
def test_curves_of_data_that_are_not_public_need_the_word(tmp_path, monkeypatch, section):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_BASE_URL", "http://192.0.2.1")
    options = read_run_config({"task": "medical_vqa", "output_dir": str(tmp_path), **section})
    keep_private(["mimic_cxr"])
    with pytest.raises(ConfigError, match=r"mimic_cxr.*192\.0\.2\.1.*run\.wandb\.mode=offline"):
        tracker_passage(options)
    monkeypatch.setitem(sys.modules, "wandb", ModuleType("wandb"))
    with pytest.raises(ConfigError, match="mimic_cxr"), trackers_of(options, {}, 0):
        pass
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert tracker_passage(options) is None


@pytest.mark.parametrize(
    ("address", "host"), [("http://192.0.2.1:1/a.tar", "192.0.2.1:1"), ("pipe:cat /dev/null", "pipe:cat")]
)
def test_shards_elsewhere_are_noted_and_refused_offline(monkeypatch, address, host):
    monkeypatch.setenv("PEFOMED_OFFLINE", "1")
    with pytest.raises(ConfigError, match="PEFOMED_OFFLINE"), open_shard(address, 1.0):
        pass
    assert read_log() == ([], 0)
    monkeypatch.delenv("PEFOMED_OFFLINE")
    pytest.importorskip("webdataset")
    monkeypatch.setattr(sys.modules["webdataset.gopen"], "gopen", lambda *_, **__: io.BytesIO())
    with open_shard(address, 1.0):
        pass
    assert [(entry["host"], entry["texts"]) for entry in read_log()[0]] == [(host, 0)]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["run.task=wasm", "run.judge=api", "run.judge_model=invented", "run.evaluate=true"], "192.0.2.1"),
        (["run.wandb.project=p"], "192.0.2.2"),
    ],
)
def test_a_run_that_may_not_send_stops_at_its_start(tmp_path, monkeypatch, options, said):
    """Data that are the user's own, and no word: whatever the YAML asks for."""
    pytest.importorskip("openai")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.1/v1")
    monkeypatch.setenv("WANDB_BASE_URL", "http://192.0.2.2")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    section = {"build_info": {"storage": str(tmp_path)}}
    chosen = [option.partition("=") for option in options]
    run = {"task": "medical_vqa", "output_dir": str(tmp_path)}
    for key, _, value in chosen:
        *path, last = key.split(".")[1:]
        place = run.setdefault(path[0], {}) if path else run
        place[last] = value == "true" if value in ("true", "false") else value
    configuration = SimpleNamespace(
        run=read_run_config({**run, "test_splits": ["test"], "train_splits": ["train"]}),
        datasets={"medical_custom": SimpleNamespace(build_info=SimpleNamespace(**section["build_info"]))},
    )
    with pytest.raises(ConfigError, match=rf"medical_custom: not a public.*{said}"):
        launch.check_ways_out(configuration)
    outbound.begin("evaluate", True)
    launch.check_ways_out(configuration)


def test_the_log_is_shown(capsys):
    outbound.begin("judge", True)
    passage = open_passage(CHAT, "api.example.org", ["mimic_cxr"], is_local=False)
    passage.note(1000, 2)
    passage.note(500, 1)
    assert main(["privacy", "log", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["bytes"] for entry in found["entries"]] == [1000, 500]
    assert main(["privacy", "log"]) == 0
    shown = capsys.readouterr().out
    assert "api.example.org" in shown and "1,500" in shown and "mimic_cxr" in shown


def test_a_host_is_found_by_any_of_its_names_and_another_one_is_not_said_to_be_all(capsys):
    outbound.begin("judge", True)
    for host in ("api.example.org:8443", "[2001:db8::1]:9", "far.example.org through the proxy proxy.example.org:3128"):
        open_passage(CHAT, host, is_local=False).note(1, 1)
    names = ("api.example.org", "api.example.org:8443", "2001:db8::1", "far.example.org", "proxy.example.org")
    for name in names:
        assert main(["privacy", "log", "--host", name]) == 0
        assert "1 requests, noted in" in capsys.readouterr().out
    assert main(["privacy", "log", "--host", "example.org"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "nothing has left for example.org" in said and "its 3 requests went to" in said and "api.example.org" in said


def test_a_log_that_others_may_read_is_closed_to_them():
    log_path().parent.mkdir(parents=True)
    log_path().write_text("")
    log_path().chmod(0o644)
    open_passage(CHAT, "api.example.org", is_local=False).note(1, 1)
    assert stat.S_IMODE(log_path().stat().st_mode) == 0o600


def test_a_line_that_is_written_in_part_is_taken_back_and_stops_what_would_leave(monkeypatch):
    passage = open_passage(CHAT, "api.example.org", is_local=False)
    passage.note(1, 1)
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda handle, line: write(handle, line[:10]))
        with pytest.raises(DataError, match="nothing is sent that cannot be noted"):
            passage.note(2, 1)
    passage.note(3, 1)
    assert [entry["bytes"] for entry in read_log()[0]] == [1, 3]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a":', "not JSON"),
        ("[1]", "no entry of this log"),
        ('{"time": "2026-01-01T00:00:00", "host": "h", "bytes": "x", "texts": 1}', "no entry of this log"),
        ('{"time": "2026-01-01T00:00:00", "host": null, "bytes": 1, "texts": 1}', "no entry of this log"),
    ],
)
def test_a_line_of_the_log_that_is_none_is_named(capsys, line, said):
    log_path().parent.mkdir(parents=True)
    log_path().write_text(line + "\n")
    assert main(["privacy", "log"]) == 2
    assert said in capsys.readouterr().err


OTHERS = """
import socket, sys
from contextlib import nullcontext
from pefomed_plugin.services import outbound
from pefomed_plugin.services.outbound_log import read_log
from pefomed_plugin.services.private_files import keep_private
outbound.begin("score", sys.argv[1] == "given")
keep_private([sys.argv[2]])
passage = outbound.open_passage(getattr(outbound, sys.argv[3]), "192.0.2.7", is_local=False) if sys.argv[3:] else None
made = socket.socket()
made.settimeout(0.01)
try:
    with passage.connecting() if sys.argv[4:] else nullcontext():
        made.connect(("192.0.2.1", 9))
except OSError as error:
    print(type(error).__name__, error.strerror)
print([(entry["way"], entry["host"]) for entry in read_log()[0]])
"""


@pytest.mark.parametrize(
    ("words", "refused", "noted"),
    [
        (["no", "mimic_cxr"], True, []),
        (["given", "mimic_cxr"], False, [("not declared", "192.0.2.1")]),
        (["no", "vqa_rad"], False, [("not declared", "192.0.2.1")]),
        (["given", "mimic_cxr", "CHAT"], False, []),
        (["no", "mimic_cxr", "SHARDS"], True, []),
        (["no", "mimic_cxr", "SHARDS", "connecting"], False, []),
    ],
)
def test_code_of_others_cannot_pass_the_gate_unseen(tmp_path, words, refused, noted):
    """A plug-in, or a library that asks a server: seen by the audit hook, in a process of its own."""
    environ = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", OTHERS, *words], env=environ, capture_output=True, text=True, check=True
    )
    assert ("NotAskedError" in done.stdout and "mimic_cxr is no public data set" in done.stdout) is refused
    assert done.stdout.splitlines()[-1] == repr(noted)
