"""The eight data sets of the embedded default, in their official layouts: recognised, read, prepared, built."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
import torch
from omegaconf import OmegaConf

from pefomed_plugin.adapters.data.datasets import MedicalDataset
from pefomed_plugin.adapters.tasks import MedicalTask
from pefomed_plugin.cli import main
from pefomed_plugin.config.layers import merge_layers
from pefomed_plugin.readers.prepared import read_prepared
from pefomed_plugin.registration import register_all
from pefomed_plugin.toolkit import registry

pytestmark = pytest.mark.slow

RELEASES = {
    "roco": ("official", {"image: no such file": 1}),
    "clef2022": ("AIcrowd", {}),
    "medicat": ("release", {"no caption": 1}),
    "mimic_cxr": ("MIMIC-CXR-JPG, reports in mimic-cxr/2.0.0/files", {"no findings section": 1}),
    "vqa_rad": ("re-release", {}),
    "slake": ("official", {"empty answer": 1}),
    "path_vqa": ("official", {}),
    "iu_xray": ("R2Gen", {}),
}
"""Data set -> the layout that must be recognised, and what of datasets.md 10 must be counted as skipped."""


@pytest.fixture(scope="module")
def prepared(sample, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    assert main(["prepare", "--all", "--source", str(sample), "--out", str(folder)]) == 0
    return folder


def build(name, storage):
    register_all()
    sections = {
        "model": {"arch": "minigpt_v2", "image_size": 28},
        "run": {"seed": 1},
        "datasets": {name: {"build_info": {"storage": str(storage)}}},
    }
    cfg = OmegaConf.create(merge_layers([OmegaConf.create(sections)], registry))
    return MedicalTask().build_datasets(SimpleNamespace(datasets_cfg=cfg.datasets, run_cfg=cfg.run))[name]


@pytest.mark.parametrize("name", RELEASES)
def test_the_manifest_says_what_was_recognised_and_skipped(prepared, name):
    manifest = json.loads((prepared / name / "manifest.json").read_text(encoding="utf-8"))
    chinese = manifest["skipped"].pop("language zh, not en", 0)
    assert (manifest["layout"], manifest["skipped"]) == RELEASES[name]
    assert (chinese > 0) == (name == "slake")
    assert manifest["origin"] == "generated" and manifest["mismatch_allowed"] is False
    assert all(each["holds"] for each in manifest["verdicts"] if each["severity"] == "E")


@pytest.mark.parametrize("name", RELEASES)
def test_release_and_prepared_folder_give_the_same_batches(sample, prepared, name):
    ours, theirs = build(name, prepared / name), build(name, sample / name)
    assert {split: len(our) for split, our in ours.items()} == {split: len(their) for split, their in theirs.items()}
    for split, own in ours.items():
        batches = [MedicalDataset.collater([each[0], each[len(own) - 1]]) for each in (own, theirs[split])]
        assert batches[0]["image"].shape == (2, 3, 28, 28)
        assert torch.equal(batches[0].pop("image"), batches[1].pop("image"))
        assert batches[0] == batches[1]


def test_quirks_of_the_questions(prepared):
    rad, slake, path = (read_prepared(prepared / name).samples for name in ("vqa_rad", "slake", "path_vqa"))
    assert {sample.phrase_type for sample in rad if sample.split == "train"} == {"freeform", "para", "frame"}
    assert {sample.phrase_type for sample in rad if sample.split == "test"} == {"freeform", "para"}
    assert {sample.answer_type for sample in rad} == {"OPEN", "CLOSED"}, "the blank behind CLOSED is gone"
    assert any("\t" in sample.answer for sample in rad) and any(sample.answer.isdigit() for sample in rad)
    assert {sample.metadata["language"] for sample in slake} == {"en"}
    assert any(", " in sample.answer and sample.metadata["base_type"] == "kvqa" for sample in slake)
    assert {sample.answer_type for sample in path if sample.answer.startswith("no ")} == {"OPEN"}


def test_quirks_of_the_texts(prepared):
    chest, roco, clef = (read_prepared(prepared / name).samples for name in ("iu_xray", "roco", "clef2022"))
    assert all(any('"' in caption.answer for caption in captions) for captions in (roco, clef)), (
        "quotation marks are text"
    )
    assert any("," in sample.answer for sample in clef), "no caption is cut at a comma"
    assert any("XXXX" in sample.answer for sample in chest)
    studies = [sample.metadata["study"] for sample in chest if sample.split == "test"]
    assert len(studies) == 2 * len(set(studies)), "two images share a report"
