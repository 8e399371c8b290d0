"""Trackers: TensorBoard where it is installed, W&B if asked for; and no key in any file."""

from __future__ import annotations

import json
import sys

import pytest

from pefomed_plugin import launch
from pefomed_plugin.adapters.training.step_log import Step, StepLog
from pefomed_plugin.adapters.training.tracking import trackers_of
from pefomed_plugin.config.run import read_run_config
from pefomed_plugin.errors import ConfigError

WANDB = '''
"""Writes down what it is told."""
import json, os
class errors:
    class Error(Exception):
        pass
def init(**settings):
    if settings.get("mode") != "offline" and "WANDB_API_KEY" not in os.environ:
        raise errors.Error("no API key configured")
    return Run(settings)
class Run:
    def __init__(self, settings):
        asked = {name: value for name, value in os.environ.items() if name.startswith("WANDB_")}
        settings = {**settings, "asked": asked}
        self.path = os.path.join(settings["dir"], "told.jsonl")
        self.log(settings, step=None)
    def log(self, values, step):
        with open(self.path, "a") as file:
            file.write(json.dumps([step, values]) + "\\n")
    def finish(self):
        self.log("finished", None)
'''


def options(folder, **section):
    return read_run_config({"task": "medical_vqa", "output_dir": str(folder), **section})


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "wandb.py").write_text(WANDB)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    yield
    sys.modules.pop("wandb", None)


def run_steps(chosen, first=0, count=2):
    with trackers_of(chosen, {"run": {"seed": 1}}, first) as trackers:
        log = StepLog(_path(chosen), 1, first, trackers, lambda: 0.5)
        for number in range(first + 1, first + count + 1):
            log.add(Step(number, 2.5, 1e-4, 4, 9, 1.5))
            log.flush()


def _path(chosen):
    from pathlib import Path

    return Path(chosen.output_dir) / "log.jsonl"


@pytest.mark.parametrize("console", [None, "wrap"])
def test_what_is_printed_and_code_do_not_go_to_wandb_unless_its_user_wants_it(tmp_path, monkeypatch, wandb, console):
    for name in ("WANDB_CONSOLE", "WANDB_DISABLE_GIT", "WANDB_DISABLE_CODE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    if console:
        monkeypatch.setenv("WANDB_CONSOLE", console)
    run_steps(options(tmp_path, wandb={"mode": "offline"}))
    asked = json.loads((tmp_path / "told.jsonl").read_text().splitlines()[0])[1]["asked"]
    wanted = {"WANDB_CONSOLE": console or "off", "WANDB_DISABLE_GIT": "true", "WANDB_DISABLE_CODE": "true"}
    assert {name: asked[name] for name in wanted} == wanted


def test_one_line_a_step_with_rates_and_memory(tmp_path):
    chosen = options(tmp_path)
    run_steps(chosen)
    lines = [json.loads(line) for line in _path(chosen).read_text().splitlines()]
    assert [list(line) for line in lines] == [
        [
            "iteration",
            "loss",
            "lr",
            "samples",
            "tokens",
            "grad_norm",
            "encoded_images",
            "samples_per_s",
            "tokens_per_s",
            "memory_gib",
        ]
    ] * 2
    assert [(line["iteration"], line["loss"], line["tokens"], line["memory_gib"]) for line in lines] == [
        (1, 2.5, 9, 0.5),
        (2, 2.5, 9, 0.5),
    ]
    assert all(line["tokens_per_s"] / line["samples_per_s"] == pytest.approx(9 / 4, rel=1e-3) for line in lines)


def test_a_loss_that_is_no_number_is_null(tmp_path):
    log = StepLog(tmp_path / "log.jsonl", 1)
    log.add(Step(1, float("nan"), 1e-4, 4, 9, float("inf")))
    log.flush()
    line = json.loads((tmp_path / "log.jsonl").read_text())
    assert (line["loss"], line["grad_norm"]) == (None, None)


def test_tensorboard_has_the_same_numbers_and_hides_those_behind_a_resumption(tmp_path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    chosen = options(tmp_path)
    run_steps(chosen, 0, 3)
    run_steps(chosen, 2, 2)
    events = reader.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train/loss", "train/lr", "train/tokens_per_s", "train/grad_norm", "train/memory_gib"} <= set(
        events.Tags()["scalars"]
    )
    assert [Scalar.step for Scalar in events.Scalars("train/loss")] == [1, 2, 3, 4]
    assert events.Scalars("train/loss")[0].value == 2.5


def test_without_tensorboard_nothing_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    run_steps(options(tmp_path))
    assert "tensorboard" not in capsys.readouterr().out
    assert not (tmp_path / "tensorboard").exists()


@pytest.mark.usefixtures("wandb")
def test_wandb_goes_on_in_the_same_run_after_a_resumption(tmp_path):
    chosen = options(tmp_path, wandb={"project": "p", "mode": "offline"}, job_name="try")
    run_steps(chosen, 0, 2)
    run_steps(chosen, 2, 1)
    told = [json.loads(line) for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    begins = [values for step, values in told if isinstance(values, dict) and "project" in values]
    assert [(begin["project"], begin["mode"], begin["name"], begin["resume"]) for begin in begins] == [
        ("p", "offline", "try", "allow")
    ] * 2
    assert begins[0]["id"] == begins[1]["id"]
    assert begins[0]["config"] == {"run": {"seed": 1}}
    assert [step for step, values in told if isinstance(values, dict) and "train/loss" in values] == [1, 2, 3]
    assert [values for _, values in told].count("finished") == 2


@pytest.mark.usefixtures("wandb")
def test_upstreams_switch_and_a_refusal(tmp_path):
    with (
        pytest.raises(ConfigError, match="no API key configured; set WANDB_API_KEY"),
        trackers_of(options(tmp_path, wandb_log=True), {}, 0),
    ):
        pass


def test_wandb_that_is_not_installed_names_the_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with (
        pytest.raises(ConfigError, match=r"pip install wandb"),
        trackers_of(options(tmp_path, wandb={"project": "p"}), {}, 0),
    ):
        pass


def test_only_the_first_rank_tracks(tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with trackers_of(options(tmp_path, wandb={"project": "p"}), {}, 0) as trackers:
        assert trackers == []
    assert list(tmp_path.iterdir()) == []


def test_a_key_in_the_configuration_is_refused_and_not_repeated(tmp_path):
    with pytest.raises(ConfigError) as caught:
        options(tmp_path, wandb={"api_key": "s3cr3t-value", "project": "p", "mode": "nowhere", "colour": "red"})
    assert "s3cr3t" not in str(caught.value)
    assert len(caught.value.problems) == 3
    assert "WANDB_API_KEY" in caught.value.problems[0]


def test_a_run_with_a_key_in_its_options_writes_no_file(tmp_path, monkeypatch, capsys):
    """The launcher checks the options before it writes the configuration."""
    monkeypatch.setattr(launch, "ensure_embedded", lambda parts: None)
    options = ["run.wandb.api_key=s3cr3t-value", f"run.output_dir={tmp_path / 'out'}"]
    assert launch.main(["--cfg-path", "train_configs/pefomed_stage2.yaml", "--options", *options]) == 2
    said = capsys.readouterr()
    assert "WANDB_API_KEY" in said.err and "s3cr3t" not in said.out + said.err
    assert not (tmp_path / "out").exists()
