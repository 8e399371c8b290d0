"""A run says exactly which of its data and its model are generated: at start and end, in files, cards, tables."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from pefomed_plugin import launch
from pefomed_plugin.adapters.training import recording
from pefomed_plugin.cli import main
from pefomed_plugin.digests import file_sha256
from pefomed_plugin.embedded import code_digest
from pefomed_plugin.embedded.tiny_model import make_tiny_model
from pefomed_plugin.environment import VARIABLES
from pefomed_plugin.origins import mark_generated
from pefomed_plugin.provenance import read_record, read_training_record
from pefomed_plugin.reporting.comparison.lineage import stages_of
from pefomed_plugin.reporting.results import read_run
from tests.unit.services.small import LEAKY, write_rad

ROOT = Path(__file__).resolve().parents[2]
SHORT = ("run.max_epoch=1", "run.iters_per_epoch=2", "run.max_new_tokens=3", "datasets.vqa_rad.batch_size=2")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A sample of which the tiny model is there, hardly trained."""
    folder = tmp_path_factory.mktemp("sample")
    make_tiny_model(folder, steps=2)
    mark_generated(folder, {"seed": 0, "code": code_digest()}, whole=True)
    return folder


@pytest.fixture
def environ(tiny, monkeypatch):
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PEFOMED_SAMPLE", str(tiny))
    return monkeypatch


def train(out, *options):
    path = ROOT / "projects" / "pefomed" / "stage2_vqa_rad.yaml"
    return launch.main(["--cfg-path", str(path), "--options", *SHORT, f"run.output_dir={out}", *options])


@pytest.mark.parametrize(
    ("generated", "origin", "words", "licence"),
    [
        (False, "real", "tiny model, real data (vqa_rad)", "cc0-1.0"),
        (True, "generated", "tiny model, generated data (vqa_rad)", "bsd-3-clause"),
    ],
)
def test_data_and_model_are_told_apart_everywhere(environ, tmp_path, capsys, generated, origin, words, licence):
    release = write_rad(tmp_path / "data" / "vqa_rad", LEAKY)
    if generated:
        mark_generated(release, {})
    environ.setenv("PEFOMED_DATA", str(release.parent))
    hashed = []
    plain = recording.samples_sha256
    environ.setattr(recording, "samples_sha256", lambda samples: hashed.append(len(samples)) or plain(samples))
    out = tmp_path / "out"
    assert train(out) == 0
    said = capsys.readouterr().out.splitlines()
    told = [place for place, line in enumerate(said) if f"Not a result: {words}." in line]
    assert told == [1, len(said) - 1] and said[-1].startswith("  beware")
    assert f"  data     vqa_rad ({origin})" in said and any(
        line.startswith("  model    the tiny model") for line in said
    )
    assert sorted(hashed) == [3, 4], "each split once, for training and answers together"

    begun, answered = read_training_record(out), read_record(out)
    for record in (begun, answered):
        assert (record.data["vqa_rad"].origin, record.model.origin) == (origin, "tiny")
        assert record.data["vqa_rad"].image_root == str(release / "images")
    assert Path(begun.model.files["checkpoint"].path).name == "minigptv2_tiny.pth"
    assert answered.model.files["checkpoint"].sha256 == file_sha256(out / "checkpoint_last.pth")

    expected = {"data": {"vqa_rad": origin}, "model": "tiny"}
    answers = out / "results" / "vqa_rad-test"
    assert json.loads((out / "metrics.json").read_text())["origin"] == expected
    assert json.loads((answers / "metrics.json").read_text())["origin"] == expected
    for line in (answers / "predictions.jsonl").read_text().splitlines():
        assert json.loads(line)["producer"]["origin"] == expected

    card = (out / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["license"] == licence
    assert f"Not a result: {words}." in card and "the sample's untrained tiny model" in card
    assert ("VQA-RAD: CC0 1.0." in card) != generated
    measured = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"][0]
    assert ("generated" in measured["dataset"]["name"]) == generated
    assert measured["metrics"][0]["type"] == "exact_match/pefomed"
    shutil.copy(next((release / "images").iterdir()), out / "chest.png")
    environ.chdir(out)
    exec(card.split("```python\n")[1].split("```")[0], {})  # the lines of the card run as they stand
    assert capsys.readouterr().out.strip()
    environ.chdir(tmp_path)

    for name in ("trainset.json", "testset.json"):
        (release / name).unlink()  # the page finds the images by the record, and reads no release
    page = tmp_path / "report.html"
    assert main(["report", str(out), "--out", str(page)]) == 0
    assert "cannot be shown" not in capsys.readouterr().out
    assert f"Not a result: {words}." in page.read_text(encoding="utf-8")
    assert main(["compare", str(out)]) == 0
    assert words in " ".join(capsys.readouterr().out.split())
    release.rename(tmp_path / "moved")
    assert main(["report", str(out), "--out", str(page)]) == 2
    assert f"they were in {release / 'images'}, which is gone" in " ".join(capsys.readouterr().err.split())
    assert main(["report", str(out), "--out", str(page), "--image-root", str(tmp_path / "moved" / "images")]) == 0


def test_a_run_is_followed_by_the_digest_of_the_checkpoint_that_it_started_from(environ, tmp_path):
    """Also where that run was set aside since, and not to another checkpoint that has taken its name."""
    release = write_rad(tmp_path / "data" / "vqa_rad", LEAKY)
    first, second = tmp_path / "captions", tmp_path / "questions"

    def train_anew(*arguments):
        for name in VARIABLES:  # which the launcher sets, for the process of one run
            environ.setenv(name, str(release.parent) if name == "PEFOMED_DATA" else "")
        return train(*arguments)

    assert train_anew(first, "run.task=medical_caption", "run.test_splits=[]") == 0
    assert train_anew(second, f"model.ckpt={first / 'checkpoint_last.pth'}") == 0
    assert stages_of(read_run(second)) == (True, True)
    assert train_anew(first, "run.test_splits=[]", "run.seed=7") == 0  # the folder's earlier run is now captions.1
    assert stages_of(read_run(second)) == (True, True)
    shutil.rmtree(tmp_path / "captions.1")
    assert stages_of(read_run(second)) is None
