"""The stage-2 YAML on the real VQA-RAD with the tiny model, a few steps and a slice; skipped without the data."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pefomed_plugin.adapters.data.builders import make_builder
from pefomed_plugin.launch import compose
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit.checkpoint import read_checkpoint

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (DATA / "vqa_rad" / "images").is_dir(), reason="no ../shared/data/vqa_rad"),
]


@pytest.fixture
def environ(sample):
    return {
        **os.environ,
        "PEFOMED_SAMPLE": str(sample),
        "PEFOMED_DATA": str(DATA),
        "PEFOMED_LLAMA": "embedded",
        "PEFOMED_VIT": "embedded",
        "PEFOMED_CKPT": "embedded",
        "OMP_NUM_THREADS": "1",
    }


def torchrun(environ, processes, out, *options):
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
        "train.py",
        "--cfg-path",
        "projects/pefomed/stage2_vqa_rad.yaml",
        "--options",
        f"run.output_dir={out}",
        *options,
    ]
    return subprocess.run(command, cwd=str(ROOT), env=environ, capture_output=True, text=True, check=False, timeout=600)


def test_a_few_steps_and_a_slice_on_two_processes(environ, tmp_path):
    done = torchrun(
        environ,
        2,
        tmp_path / "run",
        "run.iters_per_epoch=6",
        "run.log_freq=1",
        "datasets.vqa_rad.limit.test=45",
        "datasets.vqa_rad.batch_size=8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "vqa_rad: re-release layout, train 3,064, test 45" in done.stdout
    words = "Not a result: tiny model, real data (vqa_rad)."
    assert done.stdout.count(words) == 2, "at the start and at the end"
    card = (tmp_path / "run" / "README.md").read_text()
    assert words in card and "license: cc0-1.0" in card and "VQA-RAD: CC0 1.0." in card
    command = ["-m", "pefomed_plugin.cli", "report", str(tmp_path / "run"), "--out", str(tmp_path / "page.html")]
    shown = subprocess.run([sys.executable, *command], cwd=str(ROOT), capture_output=True, text=True, check=True)
    assert "cannot be shown" not in shown.stdout, "every image is found, without PEFOMED_DATA"
    assert words in (tmp_path / "page.html").read_text(encoding="utf-8")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["origin"] == {"data": {"vqa_rad": "real"}, "model": "tiny"}
    figures = metrics["results"]["vqa_rad-test"]["scores"]["exact_match/pefomed"]
    assert figures["open"]["n"] + figures["closed"]["n"] == figures["overall"]["n"] == 45
    leaks = json.loads((tmp_path / "run" / "results" / "vqa_rad-test" / "leaks.json").read_text())
    assert leaks["n"] == 45 and leaks["training"]["samples"] == 3064 and leaks["found"]["twin"]
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    checkpoint = read_checkpoint(tmp_path / "run" / "checkpoint_last.pth")
    assert {"model", "optimizer", "config", "scaler", "epoch"} <= set(checkpoint)
    answers = (tmp_path / "run" / "results" / "vqa_rad-test" / "predictions.jsonl").read_text().splitlines()
    assert [json.loads(line)["split"] for line in answers] == ["test"] * 45


def test_the_whole_split_is_the_papers(environ, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    register_all()
    from omegaconf import OmegaConf

    config = OmegaConf.create(compose(str(ROOT / "projects/pefomed/stage2_vqa_rad.yaml"), []).text)
    splits = make_builder("vqa_rad")(config.datasets.vqa_rad).build_datasets()
    assert {split: len(each) for split, each in splits.items()} == {"train": 3064, "test": 451}
    kinds = [sample.answer_type for sample in splits["test"].samples]
    assert (kinds.count("OPEN"), kinds.count("CLOSED")) == (179, 272)
    item = splits["test"][0]
    assert item["image"].shape == (3, 112, 112)
