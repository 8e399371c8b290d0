"""The launcher: what it composes, what it sets aside, and how a mistake reaches the user."""

from __future__ import annotations

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from pefomed_plugin import launch
from pefomed_plugin.errors import ConfigError
from pefomed_plugin.registration import register_all
from pefomed_plugin.services import continuing
from pefomed_plugin.toolkit import registry
from tests.shipped import ROOT, YAMLS

VARIABLES = ("PEFOMED_DATA", "PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT")


@pytest.fixture(autouse=True)
def environ(monkeypatch, tmp_path):
    register_all()
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tmp_path / "sample"))
    monkeypatch.setattr(launch, "ensure_embedded", lambda parts: None)
    return monkeypatch


def compose(path, *options):
    composed = launch.compose(str(path), options)
    return OmegaConf.create(composed.text), list(composed.embedded)


@pytest.mark.parametrize("path", YAMLS, ids=[str(path.relative_to(ROOT)) for path in YAMLS])
def test_every_yaml_runs_on_the_embedded_default_with_nothing_set(path):
    composed = launch.compose(str(path), ())
    config, options = composed.configuration, composed.configuration.run
    needed = {name for name in ("PEFOMED_DATA", "PEFOMED_LLAMA") if name in composed.text}
    assert "PEFOMED_LLAMA" in needed and needed <= set(composed.embedded)
    assert config.model.image_size == 112
    assert config.model.vit.depth == 2
    assert registry.get_task_class(options.task)
    if options.runner == "runner_base":
        with pytest.raises(ConfigError, match="runner_base is MiniGPT-v2's own and needs its checkout: pefomed link"):
            launch.check_runner(options.runner)
    else:
        launch.check_runner(options.runner)
    assert registry.get_lr_scheduler_class(options.lr_sched)
    assert all(registry.get_builder_class(name).dataset == name for name in config.datasets)


@pytest.mark.parametrize("path", YAMLS, ids=[str(path.relative_to(ROOT)) for path in YAMLS])
def test_every_yaml_has_the_papers_sizes_on_real_weights(path, environ, tmp_path):
    for name in VARIABLES:
        environ.setenv(name, str(tmp_path))
    config, parts = compose(path)
    assert parts == []
    assert (config.model.image_size, config.model.max_txt_len, config.model.lora_r) == (448, 1024, 64)
    assert config.model.vit is None


@pytest.mark.parametrize(
    ("name", "first", "last", "epochs"),
    [
        ("train_configs/pefomed_stage1.yaml", 1e-4, 8e-5, 5),
        ("train_configs/pefomed_stage2.yaml", 3e-5, 1e-5, 50),
        ("train_configs/pefomed_stage1_runner_base.yaml", 1e-4, 8e-5, 5),
        ("train_configs/pefomed_stage2_runner_base.yaml", 3e-5, 1e-5, 50),
        ("projects/pefomed/stage2_slake.yaml", 3e-5, 1e-5, 50),
        ("projects/pefomed/stage2_path_vqa.yaml", 3e-5, 1e-5, 50),
        ("projects/pefomed/stage2_iu_xray.yaml", 3e-5, 1e-5, 50),
    ],
)
def test_hyper_parameters_of_the_paper(name, first, last, epochs, environ, tmp_path):
    for variable in VARIABLES:
        environ.setenv(variable, str(tmp_path))
    run = compose(ROOT / name)[0].run
    assert (run.init_lr, run.min_lr, run.max_epoch, run.lr_sched) == (first, last, epochs, "linear_warmup_cosine_lr")


@pytest.mark.parametrize("path", YAMLS, ids=[str(path.relative_to(ROOT)) for path in YAMLS])
def test_the_first_line_of_a_yaml_is_its_launch_command(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    if first.startswith("# python -m "):  # a program that makes its data runs it
        assert (ROOT / (first.split()[3].replace(".", "/") + ".py")).is_file()
        return
    assert first.startswith("# torchrun --nproc-per-node ")
    assert first.endswith("--cfg-path " + str(path.relative_to(ROOT)))
    script = first.split()[4]
    assert (ROOT / script).is_file()


@pytest.mark.parametrize("stage", ["stage1", "stage2"])
def test_a_yaml_of_runner_base_is_its_sibling_but_for_the_runner(stage):
    ours, its = (
        OmegaConf.to_container(OmegaConf.load(ROOT / f"train_configs/pefomed_{stage}{kind}.yaml"))
        for kind in ("", "_runner_base")
    )
    for config in (ours, its):
        for section in (config["run"], config["embedded"]["run"]):
            section.pop("output_dir")
    assert its["run"].pop("runner") == "runner_base" and ours["run"].pop("runner") == "runner_pefomed"
    assert its == ours


def test_options_win_over_the_embedded_overlay():
    config, _ = compose(ROOT / "train_configs/pefomed_stage2.yaml", "run.iters_per_epoch=3", "model.ckpt=a.pth")
    assert (config.run.iters_per_epoch, config.model.ckpt) == (3, "a.pth")


def test_some_variables_set_is_one_error_with_all_that_is_missing(environ, tmp_path):
    environ.setenv("PEFOMED_LLAMA", str(tmp_path))
    with pytest.raises(ConfigError) as caught:
        compose(ROOT / "train_configs/pefomed_stage2.yaml")
    assert [problem.split()[0] for problem in caught.value.problems] == ["PEFOMED_CKPT", "PEFOMED_DATA", "PEFOMED_VIT"]


@pytest.mark.parametrize("value", ["embedded", ""])
def test_real_data_with_the_tiny_model(environ, tmp_path, value):
    environ.setenv("PEFOMED_DATA", str(tmp_path))
    for name in VARIABLES[1:]:
        environ.setenv(name, value)
    config, parts = compose(ROOT / "train_configs/pefomed_stage2.yaml")
    assert parts == ["PEFOMED_CKPT", "PEFOMED_LLAMA", "PEFOMED_VIT"]
    assert config.datasets.vqa_rad.build_info.storage == str(tmp_path) + "/vqa_rad"
    assert config.model.image_size == 112


def test_the_command_that_continues_a_run(environ):
    for name in ("PEFOMED_CONTINUE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE"):
        environ.delenv(name, raising=False)
    environ.setattr(continuing.sys, "argv", ["train.py"])
    options = ["run.output_dir=out/a #1", "run.fresh=true"]
    told = continuing.continuing_command("my run.yaml", options)
    assert told == "python train.py --cfg-path 'my run.yaml' --options 'run.output_dir=out/a #1' run.resume=auto"
    environ.setenv("LOCAL_WORLD_SIZE", "4")
    assert continuing.continuing_command("a.yaml", []).startswith(
        "torchrun --nproc-per-node 4 train.py --cfg-path a.yaml"
    )
    environ.setenv("GROUP_WORLD_SIZE", "2")
    assert "on every machine" in continuing.continuing_command("a.yaml", [])
    environ.setenv("PEFOMED_CONTINUE", "pefomed train ...")
    assert continuing.continuing_command("a.yaml", []) == "pefomed train ..."


def test_a_users_mistake_has_no_traceback(capsys, tmp_path):
    assert launch.main(["--cfg-path", str(tmp_path / "none.yaml")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: no configuration file {tmp_path / 'none.yaml'}; shipped are ")
    assert told.count("\n") == 1


def test_train_and_evaluate_are_scripts():
    for script in ("train.py", "evaluate.py"):
        shown = subprocess.run(
            [sys.executable, str(ROOT / script), "--help"], capture_output=True, text=True, check=True, cwd=str(ROOT)
        ).stdout
        assert "--cfg-path" in shown
        assert "--options" in shown


def test_evaluate_scores_without_a_model(tmp_path):
    """The same as ``pefomed score``, whose own tests are in ``unit/cli``."""
    missing = str(tmp_path / "none.jsonl")
    done = subprocess.run(
        [sys.executable, str(ROOT / "evaluate.py"), "score", "exact_match", missing],
        capture_output=True,
        text=True,
        check=False,
        cwd=str(ROOT),
    )
    assert done.returncode == 2
    assert missing in done.stderr


def test_a_gpu_out_of_memory_is_told_what_would_help(environ):
    import torch

    from pefomed_plugin.errors import PefomedError

    configuration = launch.compose("train_configs/pefomed_stage2.yaml", []).configuration
    with pytest.raises(PefomedError, match="out of memory"), launch.explaining_memory(configuration):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")
    with pytest.raises(RuntimeError, match="something else"), launch.explaining_memory(configuration):
        raise RuntimeError("something else")


def test_a_run_that_ends_leaves_no_connection_to_other_ranks(monkeypatch, tmp_path):
    import torch

    seen = []

    def joined(*_):
        torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
        seen.append(torch.distributed.is_initialized())

    monkeypatch.setattr(launch, "run", joined)
    assert launch.main(["--cfg-path", "x.yaml"]) == 0
    assert seen == [True]
    assert not torch.distributed.is_initialized()
