"""The real releases agree with what is declared of them, and damage done to them shows in it."""

from __future__ import annotations

from dataclasses import replace
from statistics import fmean

import pytest

from pefomed_plugin.readers import DATASETS, DatasetSpec
from pefomed_plugin.readers.expectations import Check, check_release
from pefomed_plugin.readers.iu_xray import IU_XRAY
from pefomed_plugin.readers.layouts import Release
from pefomed_plugin.readers.medicat import MEDICAT
from pefomed_plugin.readers.path_vqa import PATH_VQA
from pefomed_plugin.readers.roco import ROCO
from pefomed_plugin.readers.slake import SLAKE
from pefomed_plugin.readers.vqa_rad import VQA_RAD
from tests.real_data.data import real_data


def checks(read: Release) -> list[Check]:
    return check_release(DATASETS[read.dataset].expectations, read)


def broken(read: Release) -> list[str]:
    return [check.check for check in checks(read) if not check.holds]


@pytest.mark.parametrize("spec", [VQA_RAD, SLAKE, PATH_VQA, IU_XRAY], ids=lambda spec: spec.name)
def test_real_releases_hold_every_expectation(spec: DatasetSpec) -> None:
    found = spec.read(real_data(spec.name))
    assert len(checks(found)) >= 3 and broken(found) == []
    assert {split: len(samples) for split, samples in found.splits().items()} == spec.splits
    assert len({sample.only_image for sample in found.samples}) == spec.images
    assert spec.longest == tuple(max(len(text) for text in texts) for texts in _texts(found))
    assert spec.mean_length == tuple(round(fmean(len(text) for text in texts)) for texts in _texts(found))
    for field in spec.fields:
        values = {str(sample.metadata.get(field.name) or getattr(sample, field.name, None)) for sample in found.samples}
        assert set(field.values) <= {part.strip() for value in values for part in value.split(",")}, field


def _texts(read: Release) -> tuple[list[str], list[str]]:
    return [sample.question or "" for sample in read.samples], [sample.answer for sample in read.samples]


def test_other_options_and_parts_of_a_release() -> None:
    assert broken(SLAKE.read(real_data("slake"), language="all")) == []
    assert broken(IU_XRAY.read(real_data("iu_xray"), per="study")) == []
    assert broken(ROCO.read(real_data("roco"))) == ["radiology figures by split"]  # without train
    assert broken(MEDICAT.read(real_data("medicat"))) == ["figures, skipped ones too", "articles"]  # a sample of ten


def test_a_damaged_release_is_noticed() -> None:
    rad = VQA_RAD.read(real_data("vqa_rad"))
    del rad.samples[100]
    assert {"questions by split", "qids are 1 to 3,515"} <= set(broken(rad))
    slake = SLAKE.read(real_data("slake"))
    slake.samples.append(replace(slake.samples[0], id="again", split="test"))
    assert {"every image in one split only", "English rows", "rows in the files"} <= set(broken(slake))
