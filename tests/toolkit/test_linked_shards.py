"""Shards in a linked checkout, with its own webdataset: streamed through ``runner_base`` and through ours.

Needs MINIGPT4_HOME and MINIGPT4_PYTHON, as ``test_linked``.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from pefomed_plugin.services.linking import link_checkout
from tests.toolkit.checkout import HOME, PYTHON, needs_checkout
from tests.toolkit.test_linked import environ, options, start  # noqa: F401
from tests.unit.services.tars import captioned, write_tars

pytestmark = needs_checkout

SHARDS, SAMPLES = 3, 4


@pytest.fixture(scope="module")
def linked(tmp_path_factory):
    """A linked copy of the checkout, with a YAML that trains on shards by others."""
    copy = tmp_path_factory.mktemp("linked") / "MiniGPT-4"
    shutil.copytree(str(HOME), copy, ignore=shutil.ignore_patterns(".git", "__pycache__", "figs", "examples*"))
    link_checkout(copy)
    shards = {f"{n:05d}": captioned(range(SAMPLES * n, SAMPLES * n + SAMPLES)) for n in range(SHARDS)}
    folder = write_tars(tmp_path_factory.mktemp("shards") / "others", **shards)
    run = yaml.safe_load((copy / "train_configs" / "pefomed_stage1_runner_base.yaml").read_text(encoding="utf-8"))
    run["datasets"] = {
        "medical_shards": {
            "build_info": {"storage": str(folder / f"{{00000..{SHARDS - 1:05d}}}.tar")},
            "shards": {"stream": True, "samples": SHARDS * SAMPLES},
            "batch_size": 2,
        }
    }
    run["run"]["iters_per_epoch"] = 5
    del run["embedded"]
    (copy / "shards.yaml").write_text(yaml.safe_dump(run), encoding="utf-8")
    return copy


def given(out, *more):
    """The options of ``test_linked`` but for its data set."""
    return [each for each in options(out, *more) if not each.startswith("datasets.vqa_rad")]


def test_its_runner_base_trains_on_a_stream_of_shards(linked, environ, tmp_path):  # noqa: F811
    done = start([PYTHON, "train.py", "--cfg-path", "shards.yaml", *given(tmp_path / "out")], linked, environ)
    assert "train is streamed from 3 shards" in done.stdout
    folder = next((tmp_path / "out").glob("*/log.txt")).parent
    lines = [line for line in (folder / "log.txt").read_text().splitlines() if line.startswith('{"train')]
    losses = [float(json.loads(line)["train_loss"]) for line in lines]
    assert len(losses) == 4 and losses[-1] < losses[0]
    assert (folder / "checkpoint_3.pth").is_file()


def test_our_runner_draws_from_the_same_stream(linked, environ, tmp_path):  # noqa: F811
    out = tmp_path / "out"
    more = ("run.runner=runner_pefomed", "run.num_workers=1")
    start([PYTHON, "train.py", "--cfg-path", "shards.yaml", *given(out, *more)], linked, environ)
    losses = [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 20 and losses[-1] < losses[0] and Path(out / "checkpoint_last.pth").is_file()
