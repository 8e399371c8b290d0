"""The tasks that judge: scores beside the answers, and mistakes found before the model answers anything."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from pefomed_plugin.adapters.judge_tasks import JUDGE_TASKS
from pefomed_plugin.config.run import RunConfig, read_run_config
from pefomed_plugin.errors import ConfigError, PefomedError
from pefomed_plugin.registration import register_all
from pefomed_plugin.storage import write_records
from pefomed_plugin.toolkit import registry
from tests.chat_server import ChatServer, judged, refused
from tests.unit.services.judged import answers, written_reports


def options(folder, **fields):
    return RunConfig(task="gpt4_judge", output_dir=str(folder), **fields)


@pytest.fixture
def environ(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_both_are_registered():
    assert {"gpt4_judge", "wasm"} <= set(register_all()["task"])
    assert registry.get_task_class("gpt4_judge") is JUDGE_TASKS["gpt4_judge"]


def test_answers_get_exact_match_and_the_offline_judge(tmp_path):
    task = JUDGE_TASKS["gpt4_judge"].setup_task()
    metrics = task.score_answers(answers(4), tmp_path, options(tmp_path, judge="offline", judge_runs=2))
    assert sorted(metrics["scores"]) == ["exact_match/pefomed", "judge/vqa/offline-lexical"]
    assert metrics["images"] == "own"
    assert len(list((tmp_path / "scores").glob("judge-*.run*.jsonl"))) == 2


def test_a_server_judges_with_the_runs_own_seed(tmp_path, environ):
    task = JUDGE_TASKS["gpt4_judge"].setup_task()
    with ChatServer(lambda body, _: judged(body)) as server:
        environ.setenv("OPENAI_BASE_URL", server.url)
        chosen = options(tmp_path, judge_model="invented", judge_runs=2, seed=5)
        metrics = task.score_answers(answers(3), tmp_path, chosen)
    assert {body["seed"] for body in server.requests} == {5, 6}
    assert metrics["judges"]["judge/vqa/invented"]["judgements"] == 6


def test_an_unfinished_judgement_names_the_command_that_goes_on(tmp_path, environ):
    task = JUDGE_TASKS["gpt4_judge"].setup_task()
    write_records(tmp_path / "predictions.jsonl", answers(1))

    def rule(body, before):
        return refused(401)

    with ChatServer(rule) as server:
        environ.setenv("OPENAI_BASE_URL", server.url)
        with pytest.raises(PefomedError, match="OPENAI_API_KEY is not valid"):
            task.score_answers(answers(1), tmp_path, options(tmp_path, judge_model="invented"))
    assert "exact_match/pefomed" in json.loads((tmp_path / "metrics.json").read_text())["scores"]


def test_a_judge_without_a_model_is_found_before_any_answer(environ):
    with pytest.raises(ConfigError, match=r"run\.judge_model"):
        JUDGE_TASKS["wasm"].setup_task().build_datasets(SimpleNamespace(run_cfg={"judge": "api"}, datasets_cfg={}))
    local = {"judge": "local", "judge_model": "nowhere"}
    with pytest.raises(ConfigError, match="no folder nowhere"):
        JUDGE_TASKS["wasm"].setup_task().build_datasets(SimpleNamespace(run_cfg=local, datasets_cfg={}))


def test_reports_are_rated_by_wasm(tmp_path):
    pytest.importorskip("pycocoevalcap")
    task = JUDGE_TASKS["wasm"].setup_task()
    task.scorers = ()  # the lexical ones need Java
    metrics = task.score_answers(written_reports(4), tmp_path, options(tmp_path, judge="offline"))
    assert 0 <= metrics["scores"]["judge/report/offline-lexical"]["overall"]["value"] <= 4
    assert task.max_new_tokens == 300


def test_options_that_cannot_be_used():
    with pytest.raises(ConfigError) as caught:
        read_run_config({"task": "wasm", "output_dir": "o", "judge": "gpt", "judge_runs": 0})
    assert len(caught.value.problems) == 2
