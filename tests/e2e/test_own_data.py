"""docs/own-data.md followed to the letter: its files, its commands, its YAML."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from pefomed_plugin import environment, launch
from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.tasks import MedicalVqaTask
from pefomed_plugin.cli import main
from pefomed_plugin.config.compose import compose_tree
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry
from tests.unit.services.small import small_image

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([^`]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
FENCES = re.findall(r"^```(\w*)\n(.*?)^```\n", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line for language, text in FENCES for line in text.splitlines() if not language]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The page's files with drawn images, as the current folder; no PEFOMED_ variable set."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        for number, image in enumerate(sorted(set(re.findall(r"[\w/]+\.png", text)))):
            place = path.parent / "images" / image
            place.parent.mkdir(parents=True, exist_ok=True)
            small_image(number).save(place)
    for name in environment.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(beginning):
    """Arguments of the page's command that begins so."""
    return shlex.split(next(each for each in COMMANDS if each.startswith(beginning))[len(beginning) :])


def test_the_page_gives_these_files_and_commands():
    assert list(FILES) == ["mydata/train.jsonl", "mydata/test.jsonl", "myreports/train.csv", "my_run.yaml"]
    assert len(COMMANDS) == 4


def test_the_folder_is_checked_and_a_batch_comes_out(folder, monkeypatch, capsys):
    assert main(command("pefomed ")) == 0
    assert "medical_custom, JSON lines layout" in capsys.readouterr().out
    for name in ("PEFOMED_LLAMA", "PEFOMED_VIT", "PEFOMED_CKPT"):
        monkeypatch.setenv(name, "unused")
    register_all()
    cfg = compose_tree("my_run.yaml", [], registry)
    datasets = MedicalVqaTask().build_datasets(SimpleNamespace(datasets_cfg=cfg.datasets, run_cfg=cfg.run))[
        "medical_custom"
    ]
    assert {split: len(dataset) for split, dataset in datasets.items()} == {"train": 4, "test": 2}
    batch = MedicalDataset.collater([datasets["train"][number] for number in range(4)])
    assert batch["image"].shape == (4, 3, 448, 448) and torch.isfinite(batch["image"]).all()
    assert batch["answer"] == ["no", "left", "yes", "no"]
    assert batch["instruction_input"][1].endswith("short answer: Which side is the tube on?")
    assert datasets["train"].samples[3].metadata["scanner"] == "A"
    assert [sample.id for sample in datasets["test"].samples] == ["medical_custom-t1", "medical_custom-t2"]


def test_reports_as_csv(folder):
    assert main(["prepare", "medical_custom", "--source", "myreports", "--out", "prepared/myreports"]) == 0
    text = (folder / "prepared" / "myreports" / "train.jsonl").read_text()
    assert "The heart is of normal size, the lungs are clear." in text and '"task": "report"' in text


@pytest.mark.slow
def test_the_run_with_the_tiny_model(folder, sample, monkeypatch):
    monkeypatch.setenv("PEFOMED_SAMPLE", str(sample))
    assert main(command("pefomed ")) == 0
    assert launch.main(command("python train.py ")) == 0
    results = folder / "output" / "mydata-try" / "results" / "medical_custom-test"
    assert len((results / "predictions.jsonl").read_text().splitlines()) == 2
