"""A linked checkout (``pefomed link``): its own ``train.py`` on VQA-RAD's layout, under both runners, on the CPU.

Needs MINIGPT4_HOME and MINIGPT4_PYTHON, as ``test_checkout``. The checkout is copied; the original is only read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from pefomed_plugin.services.linking import link_checkout, unlink_checkout
from pefomed_plugin.storage import read_predictions
from pefomed_plugin.toolkit.checkpoint import read_weights
from tests.conformance.golden import FOLDER, golden
from tests.toolkit.checkout import HOME, PYTHON, ROOT, needs_checkout
from tests.unit.services.small import write_rad

pytestmark = needs_checkout

STAGE2 = "projects/pefomed/stage2_vqa_rad.yaml"
TRAIN_SAMPLES = 6
ROWS = [
    {
        "qid": number,
        "image": number % 4,
        "split": "train" if number < TRAIN_SAMPLES else "test",
        "answer": ("yes", "no", "left lung")[number % 3],
    }
    for number in range(TRAIN_SAMPLES + 5)
]


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """The golden tiny model and a small VQA-RAD, where the four variables point."""
    folder = tmp_path_factory.mktemp("weights")
    initial = load_file(str(FOLDER / "initial.safetensors"))
    torch.save(
        {key[len("visual_encoder.") :]: each for key, each in initial.items() if key.startswith("visual_encoder.")},
        folder / "eva.pth",
    )
    torch.save(
        {"model": {key: each for key, each in initial.items() if "lora_" in key or "llama_proj" in key}},
        folder / "start.pth",
    )
    write_rad(folder / "data" / "vqa_rad", ROWS)
    plain = {key: each for key, each in os.environ.items() if key not in ("MINIGPT4_HOME", "PEFOMED_TOOLKIT")}
    return {
        **plain,
        "PEFOMED_DATA": str(folder / "data"),
        "PEFOMED_LLAMA": str(FOLDER / "tiny_llama"),
        "PEFOMED_VIT": str(folder / "eva.pth"),
        "PEFOMED_CKPT": str(folder / "start.pth"),
        "OMP_NUM_THREADS": "1",
        "WANDB_MODE": "disabled",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A linked copy of the checkout."""
    copy = tmp_path_factory.mktemp("linked") / "MiniGPT-4"
    shutil.copytree(str(HOME), copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "figs", "examples*"))
    link_checkout(copy)
    return copy


def options(out, *more):
    settings = golden()["model"]
    vit = [f"model.vit.{key}={value}" for key, value in golden()["vit"].items()]
    return [
        "--options",
        *vit,
        f"model.image_size={settings['img_size']}",
        "model.max_txt_len=64",
        f"model.lora_r={settings['lora_r']}",
        "model.lora_dropout=0.0",
        "run.amp=false",
        "run.device=cpu",
        "run.num_workers=0",
        "run.warmup_steps=0",
        "run.init_lr=3e-3",
        "run.min_lr=1e-3",
        "run.max_epoch=4",
        "run.log_freq=1",
        f"datasets.vqa_rad.batch_size={TRAIN_SAMPLES}",
        f"run.output_dir={out}",
        *more,
    ]


def start(command, cwd, environ, expected=0):
    done = subprocess.run(
        [str(each) for each in command],
        cwd=str(cwd),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == expected, done.stdout[-3000:] + done.stderr[-5000:]
    return done


def losses(out):
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


def answers(out):
    return [
        prediction.prediction for prediction in read_predictions(out / "results" / "vqa_rad-test" / "predictions.jsonl")
    ]


@pytest.fixture(scope="module")
def own_train_py(checkout, environ, tmp_path_factory):
    out = tmp_path_factory.mktemp("own") / "run"
    return out, start(
        [
            PYTHON,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "1",
            "train.py",
            "--cfg-path",
            STAGE2,
            *options(out),
        ],
        checkout,
        environ,
    )


@pytest.fixture(scope="module")
def bundled(environ, tmp_path_factory):
    out = tmp_path_factory.mktemp("bundled") / "run"
    start(
        [sys.executable, "train.py", "--cfg-path", STAGE2, *options(out)],
        ROOT,
        {**environ, "PEFOMED_TOOLKIT": "bundled"},
    )
    return out


@pytest.fixture(scope="module")
def its_runner_base(checkout, environ, tmp_path_factory):
    out = tmp_path_factory.mktemp("base") / "run"
    start([PYTHON, "train.py", "--cfg-path", STAGE2, *options(out, "run.runner=runner_base")], checkout, environ)
    return out, next(out.glob("*/log.txt")).parent


def test_its_own_train_py_trains_answers_and_shows_the_scores(own_train_py):
    out, done = own_train_py
    assert "toolkit: minigpt4" in done.stdout
    assert "exact_match/pefomed overall" in done.stdout
    assert len(losses(out)) == 4
    assert losses(out)[-1] < losses(out)[0]
    assert len(answers(out)) == len(ROWS) - TRAIN_SAMPLES
    assert any(answers(out))


def test_the_bundled_toolkit_does_the_same(own_train_py, bundled):
    assert losses(own_train_py[0]) == pytest.approx(losses(bundled), rel=0, abs=1e-5)
    assert answers(own_train_py[0]) == answers(bundled)


def test_so_does_our_train_py_with_minigpt4_home(own_train_py, environ, tmp_path):
    out = tmp_path / "run"
    start([PYTHON, "train.py", "--cfg-path", STAGE2, *options(out)], ROOT, {**environ, "MINIGPT4_HOME": str(HOME)})
    assert losses(out) == losses(own_train_py[0])
    assert answers(out) == answers(own_train_py[0])


def test_its_runner_base_trains_our_data_set_on_the_cpu(its_runner_base, own_train_py):
    """One batch is the whole split, so that the order, which is each runner's own, does not matter."""
    log = (its_runner_base[1] / "log.txt").read_text().splitlines()
    seen = [float(json.loads(line)["train_loss"]) for line in log if line.startswith('{"train')]
    assert seen == pytest.approx(losses(own_train_py[0]), abs=1e-3)  # it writes three digits
    assert sorted(path.name for path in its_runner_base[1].glob("*.pth")) == [
        f"checkpoint_{epoch}.pth" for epoch in range(4)
    ]
    ours = read_weights(own_train_py[0] / "checkpoint_last.pth")
    theirs = read_weights(its_runner_base[1] / "checkpoint_3.pth")
    assert set(ours) <= set(theirs)
    assert all(torch.allclose(theirs[key], our, rtol=0, atol=1e-4) for key, our in ours.items())


def test_a_checkpoint_of_its_runner_base_answers_the_same_on_the_bundled_toolkit(its_runner_base, environ, tmp_path):
    out = tmp_path / "run"
    start(
        [
            sys.executable,
            "train.py",
            "--cfg-path",
            STAGE2,
            *options(out, "run.evaluate=true", f"model.ckpt={its_runner_base[1] / 'checkpoint_3.pth'}"),
        ],
        ROOT,
        {**environ, "PEFOMED_TOOLKIT": "bundled"},
    )
    assert answers(out) == answers(its_runner_base[0])


def test_evaluation_from_there_over_two_processes(checkout, own_train_py, environ, tmp_path):
    out = tmp_path / "run"
    start(
        [
            PYTHON,
            "-m",
            "torch.distributed.run",
            "--nproc-per-node",
            "2",
            "train.py",
            "--cfg-path",
            "eval_configs/pefomed_vqa_rad.yaml",
            *options(out, f"model.ckpt={own_train_py[0] / 'checkpoint_last.pth'}"),
        ],
        checkout,
        environ,
    )
    assert answers(out) == answers(own_train_py[0])


def test_a_mistake_is_a_message_and_nothing_is_written(checkout, environ, tmp_path):
    out = tmp_path / "run"
    done = start(
        [
            PYTHON,
            "train.py",
            "--cfg-path",
            STAGE2,
            *options(out, "run.runner=runner_base", "run.max_grad_norm=1", "run.valid_splits=[test]"),
        ],
        checkout,
        environ,
        2,
    )
    assert "run.max_grad_norm: 1.0 would do nothing under runner_base" in done.stderr
    assert "run.valid_splits" in done.stderr
    assert "Traceback" not in done.stderr
    assert not out.exists()


def test_a_yaml_of_the_checkouts_own_is_left_alone(checkout, environ):
    done = start(
        [PYTHON, "-m", "tests.toolkit.foreign_process", "train_configs/minigpt4_llama2_stage1_pretrain.yaml"],
        checkout,
        {**environ, "PYTHONPATH": f"{checkout}{os.pathsep}{ROOT}"},
    )
    assert json.loads(done.stdout.splitlines()[-1]) == {"same": True, "epochs": 3, "loaders": True, "model": True}


def test_unlinking_restores_every_byte_of_the_checkout(tmp_path):
    copy = tmp_path / "MiniGPT-4"
    shutil.copytree(str(HOME), copy, ignore=shutil.ignore_patterns(".git", "__pycache__"))

    def content():
        return {
            path.relative_to(copy): (path.is_file() and path.read_bytes(), path.lstat().st_mode)
            for path in copy.rglob("*")
        }

    before = content()
    link_checkout(copy)
    assert content() != before
    unlink_checkout(copy)
    assert content() == before
