"""A real MiniGPT-4 checkout in its own environment. Needs MINIGPT4_HOME (a clone at d94738a) and MINIGPT4_PYTHON (the
interpreter of an environment with its pins)."""

from __future__ import annotations

import json
import os
import subprocess

import pytest
import torch

from pefomed_plugin.toolkit.checkpoint import read_checkpoint, read_weights
from tests.conformance.golden import arrays, golden, golden_model
from tests.conformance.golden_run import golden_runner
from tests.toolkit.checkout import PYTHON, ROOT, needs_checkout

pytestmark = needs_checkout


def in_checkout(*arguments):
    done = subprocess.run(
        [PYTHON, "-m", "tests.toolkit.checkout_process", *map(str, arguments)],
        cwd=str(ROOT),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PEFOMED_TOOLKIT": "minigpt4"},
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    out = tmp_path_factory.mktemp("checkout")
    return out, in_checkout(out)


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    out = tmp_path_factory.mktemp("bundled")
    runner = golden_runner(out)
    runner.train()
    return out, runner.model.eval()


def steps(out):
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_everything_registers_in_the_checkouts_registry(checkout):
    _, said = checkout
    assert said["toolkit"] == "minigpt4"
    assert {"vqa_rad", "iu_xray", "roco"} <= set(said["names"]["builder"])


def test_the_golden_training_run_there_and_here(checkout, bundled):
    there, here = steps(checkout[0]), steps(bundled[0])
    assert [each["loss"] for each in there] == pytest.approx(golden()["train_loss"], rel=0, abs=1e-4)
    assert [each["loss"] for each in there] == pytest.approx([each["loss"] for each in here], rel=0, abs=1e-5)
    assert [each["lr"] for each in there] == pytest.approx([each["lr"] for each in here], rel=0, abs=1e-12)


def test_checkpoints_of_both_hold_the_same_tensors(checkout, bundled):
    there, here = (read_checkpoint(out / "checkpoint_last.pth")["model"] for out in (checkout[0], bundled[0]))
    assert set(there) == set(here)
    for key, tensor in there.items():
        assert torch.allclose(tensor, here[key], rtol=0, atol=1e-5), key


def test_a_checkpoint_of_either_gives_the_same_answers_on_the_other(checkout, bundled, tmp_path):
    trained_there = golden_model()
    trained_there.load_checkpoint(checkout[0] / "checkpoint_last.pth")
    prompts = golden()["prompts"]
    assert trained_there.generate(arrays()["images"], prompts, max_new_tokens=12) == checkout[1]["answers"]
    own = bundled[1].generate(arrays()["images"], prompts, max_new_tokens=12)
    assert in_checkout(tmp_path, bundled[0] / "checkpoint_last.pth")["answers"] == own
    assert len(read_weights(bundled[0] / "checkpoint_last.pth")) == 10
