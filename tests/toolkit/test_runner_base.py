"""MiniGPT-v2's ``runner_base`` as shipped: both stages in a linked checkout on the embedded default, four sets mixed.

Needs MINIGPT4_HOME and MINIGPT4_PYTHON, as ``test_checkout``. The checkout is copied; the original is only read.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from pefomed_plugin.services.linking import link_checkout
from pefomed_plugin.storage import read_predictions
from tests.real_data.data import real_data
from tests.toolkit.checkout import HOME, PYTHON, ROOT, needs_checkout

pytestmark = needs_checkout
STAGE1, STAGE2 = (f"train_configs/pefomed_stage{stage}_runner_base.yaml" for stage in (1, 2))
SETS = ("vqa_rad", "slake", "path_vqa", "iu_xray")
LIMITS = [f"datasets.{name}.limit={{test: 8, val: 8}}" for name in SETS]
LOSS = re.compile(r"validation loss (\S+) \(slake (\S+), path_vqa (\S+), iu_xray (\S+)\)")


def start(command, cwd, environ, expected=0):
    done = subprocess.run(
        [str(each) for each in command],
        cwd=str(cwd),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == expected, done.stdout[-3000:] + done.stderr[-5000:]
    return done.stdout


@pytest.fixture(scope="module")
def environ(tmp_path_factory):
    """Nothing set but where the embedded default lies, made once for both toolkits."""
    sample = tmp_path_factory.mktemp("embedded") / "sample"
    ours = ("PEFOMED_", "MINIGPT4_HOME")
    plain = {key: value for key, value in os.environ.items() if not key.startswith(ours)}
    environ = {**plain, "PEFOMED_SAMPLE": str(sample), "OMP_NUM_THREADS": "1", "WANDB_MODE": "disabled",
               "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    start([sys.executable, "-m", "pefomed_plugin.cli", "sample", "--out", sample], ROOT, environ)
    return environ


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    copy = tmp_path_factory.mktemp("linked") / "MiniGPT-4"
    shutil.copytree(str(HOME), copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "figs", "examples*"))
    link_checkout(copy)
    return copy


@pytest.fixture(scope="module")
def stages(checkout, environ, tmp_path_factory):
    """Folders of both stages and what stage 2 printed."""
    first, second = (tmp_path_factory.mktemp("runs") / stage for stage in ("stage1", "stage2"))
    train = [PYTHON, "train.py", "--cfg-path"]
    start([*train, STAGE1, "--options", "run.iters_per_epoch=6", f"run.output_dir={first}"], checkout, environ)
    weights = next(first.glob("*/checkpoint_0.pth"))
    options = [f"model.ckpt={weights}", f"run.output_dir={second}", "run.max_epoch=2", "run.iters_per_epoch=10"]
    said = start([*train, STAGE2, "--options", *options, *LIMITS], checkout, environ)
    return first, second, said


def answers(folder, name):
    return [each.prediction for each in read_predictions(folder / "results" / f"{name}-test" / "predictions.jsonl")]


def test_four_sets_are_mixed_and_what_comes_of_it_is_said_at_the_start(stages):
    _, folder, said = stages
    for name in SETS:
        assert re.search(rf"^{name}: \d+% of the batches, about \S+ passes over [\d,]+ samples in 2 epoch", said, re.M)
    assert "val split: not in vqa_rad" in said
    metrics = json.loads((folder / "metrics.json").read_text())
    assert set(metrics["results"]) == {f"{name}-test" for name in SETS}
    table = said[said.rindex("test set ") :]
    places = [table.index(f"{name}-test ") for name in SETS]
    assert places == sorted(places), "in the order of the YAML"
    assert "rouge_l" in metrics["results"]["iu_xray-test"]["scores"]["lexical/coco"]


def test_it_validates_while_it_trains_and_answers_with_the_best_epoch(stages):
    _, folder, said = stages
    losses = [float(found[0]) for found in LOSS.findall(said)]
    assert len(losses) == 2
    (log,) = folder.glob("*/log.txt")
    logged = [json.loads(line)["val_valid/loss"] for line in log.read_text().splitlines() if line.startswith('{"val_')]
    assert logged == pytest.approx(losses, abs=1e-4)
    assert [path.name for path in log.parent.glob("*.pth")] == ["checkpoint_best.pth"]
    assert "checkpoint_best.pth: 14 tensors loaded" in said


def test_its_validation_loss_is_that_of_the_bundled_toolkit(stages, environ, tmp_path):
    """With a rate of 0 a run does nothing but validate."""
    _, folder, said = stages
    best = min(LOSS.findall(said), key=lambda found: float(found[0]))
    still = ["run.init_lr=1e-30", "run.min_lr=0", "run.warmup_lr=0", "run.max_epoch=1", "run.iters_per_epoch=1"]
    options = [f"model.ckpt={next(folder.glob('*/checkpoint_best.pth'))}", f"run.output_dir={tmp_path / 'run'}"]
    shown = start(
        [sys.executable, "train.py", "--cfg-path", "train_configs/pefomed_stage2.yaml", "--options", *still, *options,
         "run.test_splits=[]", *LIMITS],
        ROOT,
        {**environ, "PEFOMED_TOOLKIT": "bundled"},
    )  # fmt: skip
    (ours,) = LOSS.findall(shown)
    assert list(map(float, ours)) == pytest.approx(list(map(float, best)), abs=2e-4)  # four digits are shown


def test_its_checkpoint_gives_the_same_answers_on_the_bundled_toolkit(stages, environ, tmp_path):
    _, folder, _ = stages
    options = [f"model.ckpt={next(folder.glob('*/checkpoint_best.pth'))}", f"run.output_dir={tmp_path / 'run'}"]
    start(
        [sys.executable, "evaluate.py", "--cfg-path", "eval_configs/pefomed_stage2.yaml", "--options", *options,
         *LIMITS],
        ROOT,
        {**environ, "PEFOMED_TOOLKIT": "bundled"},
    )  # fmt: skip
    for name in SETS:
        assert answers(tmp_path / "run", name) == answers(folder, name), name


def test_what_it_cannot_do_is_told_by_the_doctor_as_by_the_run(checkout, environ, tmp_path):
    doctor = [PYTHON, "-m", "pefomed_plugin.cli", "doctor", "--cfg-path", STAGE2]
    shown = start(doctor, checkout, environ)
    assert "toolkit            minigpt4" in shown and "pins" in shown and "ready" in shown
    wrong = ["--options", "datasets.slake.passes=5", "run.max_grad_norm=1", f"run.output_dir={tmp_path / 'run'}"]
    shown = " ".join(start([*doctor, *wrong], checkout, environ, 1).split())
    assert "run.max_grad_norm: 1.0 would do nothing under runner_base" in shown
    assert "datasets.slake.passes: 5: runner_base goes through all equally often" in shown
    start([PYTHON, "train.py", "--cfg-path", STAGE2, *wrong], checkout, environ, 2)
    assert not (tmp_path / "run").exists()


def test_the_prompt_templates_stand_in_its_registry(checkout, environ):
    code = """
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import NAME, registry
import minigpt4.common.registry as host
print(NAME, register_all()["prompt_template"], registry is host.registry, host.registry.get("[vqa]").ask("Why?"))
"""
    said = start([PYTHON, "-c", code], checkout, environ).splitlines()[-1]
    assert said == (
        "minigpt4 ['[caption]', '[report]', '[vqa]'] True <Img><ImageHere></Img> [vqa] Based on the image, respond to "
        "this question with a short answer: Why?"
    )


def test_published_questions_with_their_images_and_without_the_sets_that_have_none(checkout, environ, tmp_path):
    real = {**environ, "PEFOMED_DATA": str(real_data("vqa_rad").parent)}
    real.update(dict.fromkeys(("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"), "embedded"))
    out = tmp_path / "run"
    left_out = [f"datasets.{name}=null" for name in SETS[1:]]
    short = ["run.max_epoch=1", "run.iters_per_epoch=3", "datasets.vqa_rad.limit={train: 64, test: 6}"]
    said = start(
        [PYTHON, "train.py", "--cfg-path", STAGE2, "--options", f"run.output_dir={out}", *short, *left_out],
        checkout,
        real,
    )
    assert "left out: slake, path_vqa, iu_xray" in said
    assert "warning: val split: not in vqa_rad: no loss of it, and the last epoch is kept" in said
    assert [path.name for path in out.glob("*/*.pth")] == ["checkpoint_0.pth"]
    assert len(answers(out, "vqa_rad")) == 6
