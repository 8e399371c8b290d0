"""The real releases agree with the table of figures, and damage done to them shows in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pefomed_plugin.readers.expectations import judge_release
from pefomed_plugin.readers.iu_xray import read_iu_xray
from pefomed_plugin.readers.layouts import Release
from pefomed_plugin.readers.medicat import read_medicat
from pefomed_plugin.readers.path_vqa import read_path_vqa
from pefomed_plugin.readers.roco import read_roco
from pefomed_plugin.readers.slake import read_slake
from pefomed_plugin.readers.vqa_rad import read_vqa_rad
from tests.real_data.data import real_data


def broken(read: Release) -> list[str]:
    return [each.check for each in judge_release(read) if not each.holds]


@pytest.mark.parametrize(
    ("folder", "read"),
    [("vqa_rad", read_vqa_rad), ("slake", read_slake), ("path_vqa", read_path_vqa), ("iu_xray", read_iu_xray)],
)
def test_real_releases_hold_every_expectation(folder: str, read: Any) -> None:
    found = read(real_data(folder))
    assert len(judge_release(found)) >= 3 and broken(found) == []


def test_other_options_and_parts_of_a_release() -> None:
    assert broken(read_slake(real_data("slake"), language="all")) == []
    assert broken(read_iu_xray(real_data("iu_xray"), per="study")) == []
    assert broken(read_roco(real_data("roco"))) == ["radiology figures by split"]  # without train
    assert broken(read_medicat(real_data("medicat"))) == ["figures, skipped ones too", "articles"]  # a sample of ten


def test_a_damaged_release_is_noticed() -> None:
    rad = read_vqa_rad(real_data("vqa_rad"))
    del rad.samples[100]
    assert {"questions by split", "qids are 1 to 3,515"} <= set(broken(rad))
    slake = read_slake(real_data("slake"))
    slake.samples.append(replace(slake.samples[0], id="again", split="test"))
    assert {"every image in one split only", "English rows", "rows in the files"} <= set(broken(slake))
